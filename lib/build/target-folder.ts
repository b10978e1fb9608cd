import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { ConfigurationError } from "../configuration/error.ts";

/** By this file a folder is known as one that may be written anew. */
const MARK = ".mayfly-build";

/**
 * Fills a folder in the place of the one that an earlier build wrote; an interrupted build leaves that as it was.
 * @throws ConfigurationError for a folder that holds anything else
 */
export async function writeTarget(folder: string, fill: (into: string) => Promise<void>): Promise<void> {
  const place = resolve(folder);
  if (!(await isOurs(place))) {
    throw new ConfigurationError(`--target-out: ${folder} holds files that mayfly build did not make`);
  }
  const beside = join(dirname(place), `${basename(place)}~`);
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true });
  await fill(beside);
  await writeFile(
    join(beside, MARK),
    "This folder is written by mayfly build, and written anew by the next one.\n",
  );
  await rm(place, { recursive: true, force: true });
  await rename(beside, place);
}

async function isOurs(folder: string): Promise<boolean> {
  if (!existsSync(folder) || existsSync(join(folder, MARK))) return true;
  return (await readdir(folder)).length === 0;
}
