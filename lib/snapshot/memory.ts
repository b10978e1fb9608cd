import { readFileSync, statSync } from "node:fs";

import type { Logger } from "../logger.ts";
import { readSnapshot } from "./format.ts";
import type { Snapshot } from "./format.ts";
import { differences } from "./key.ts";
import type { SnapshotKey } from "./key.ts";

/** What is known of a server's answers. */
export interface SnapshotMemory {
  current(): Snapshot | undefined;
}

export function createSnapshotMemory(built: Snapshot | undefined): SnapshotMemory {
  return { current: () => built };
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
