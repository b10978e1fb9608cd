import { readFileSync, statSync } from "node:fs";

import type { Logger } from "../logger.ts";
import { readSnapshot } from "./format.ts";
import type { Snapshot } from "./format.ts";
import { differences } from "./key.ts";
import type { SnapshotKey } from "./key.ts";

/** What is known of a server's answers. */
export interface SnapshotMemory {
  current(): Snapshot | undefined;
  /** Milliseconds since that was read or recorded; infinite where nothing was. */
  ageMs(): number;
  /** @param recorded undefined if nothing new could be found out: what is known counts as new all the same */
  learn(recorded: Snapshot | undefined): void;
}

export function createSnapshotMemory(built: Snapshot | undefined): SnapshotMemory {
  let [snapshot, since] = [built, built ? performance.now() : Number.NEGATIVE_INFINITY];
  return {
    current: () => snapshot,
    ageMs: () => performance.now() - since,
    learn: (recorded) => {
      [snapshot, since] = [recorded ?? snapshot, performance.now()];
    },
  };
}

/** Bytes of a file that is read. */
const MAX_FILE_BYTES = 64 * 1024 ** 2;

/**
 * The snapshot that was built for that server; undefined where there is none, or none that can be used: then the log
 * says why.
 */
export function readBuilt(
  path: string,
  key: () => SnapshotKey,
  server: string,
  logger: Logger | undefined,
): Snapshot | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) return undefined;
    if (found.size > MAX_FILE_BYTES) throw new Error(`it has more than ${MAX_FILE_BYTES} bytes`);
    const snapshot = readSnapshot(readFileSync(path, "utf8"));
    const differs = differences(snapshot.key, key());
    if (differs.length === 0) return snapshot;
    logger?.warn({ server, differs }, "The snapshot is of another server: it is not used");
  } catch (error) {
    logger?.warn({ server, reason: (error as Error).message }, "The snapshot cannot be read: it is not used");
  }
  return undefined;
}
