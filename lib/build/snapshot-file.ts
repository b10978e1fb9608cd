import { lstat, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { isObject } from "../jsonrpc.ts";
import { SNAPSHOT_FILE, snapshotText } from "../snapshot/format.ts";
import type { Snapshot } from "../snapshot/format.ts";

/**
 * Removes what an earlier build recorded: the next record may be refused, and then there must be none.
 * @returns why none can be written; undefined if one can
 */
export async function clearSnapshot(folder: string): Promise<string | undefined> {
  if (await isLink(folder)) return "its folder is a link";
  const file = join(folder, SNAPSHOT_FILE);
  if (!(await isOurs(file))) return `its folder holds a ${SNAPSHOT_FILE} that is none of Mayfly's`;
  await rm(file, { force: true });
  return undefined;
}

/** To be called when {@link clearSnapshot} has nothing against it. */
export async function writeSnapshot(folder: string, snapshot: Snapshot): Promise<void> {
  await writeFile(join(folder, SNAPSHOT_FILE), snapshotText(snapshot), { flag: "wx" });
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink();
}

/** A file that is not there is nobody else's. */
async function isOurs(file: string): Promise<boolean> {
  try {
    if (await isLink(file)) return false;
    const content: unknown = JSON.parse(await readFile(file, "utf8"));
    // Also one of another format: an older version has built here.
    return isObject(content) && typeof content["format"] === "number" && isObject(content["key"]);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
