import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { ConfigurationError } from "../configuration/error.ts";

/** No server's name holds this sign: what is being built, or taken away, can be no server's folder. */
const BESIDE = { building: "building~", old: "old~" } as const;

/** What stands in the package.json of a folder that `mayfly build` made: the packages, as they were asked for. */
export type Question = Readonly<Record<string, string>>;

/** Names that would lead out of the folder, or that Node looks up in each folder above a program. */
const NO_FOLDERS = new Set([".", "..", "node_modules"]);

/** @throws ConfigurationError for names that cannot be folders beside each other, on any file system */
export function checkNames(names: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(name.toLowerCase());
    if (NO_FOLDERS.has(name))
      throw new ConfigurationError(`mcpServers.${name}: cannot be the name of a folder`);
    if (other !== undefined) {
      throw new ConfigurationError(`mcpServers.${name}: on some systems its folder is the one of "${other}"`);
    }
    seen.set(name.toLowerCase(), name);
  }
}

/** Mends what an interrupted build left: the old folder of a server comes back, half of a new one goes. */
export async function repair(out: string): Promise<void> {
  await mkdir(out, { recursive: true });
  for (const name of await readdir(out)) {
    if (name.startsWith(BESIDE.building)) await remove(join(out, name));
    if (name.startsWith(BESIDE.old)) await bringBack(out, name.slice(BESIDE.old.length));
  }
}

async function bringBack(out: string, name: string): Promise<void> {
  const old = join(out, BESIDE.old + name);
  await (existsSync(join(out, name)) ? remove(old) : rename(old, join(out, name)));
}

/** An empty folder beside the server's, for `putInPlace`. */
export async function folderBeside(out: string, name: string): Promise<string> {
  const folder = join(out, BESIDE.building + name);
  await remove(folder);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** The server has its old folder or its new one at any time but the moment between two renames, which `repair` mends. */
export async function putInPlace(out: string, name: string): Promise<void> {
  const [place, old] = [join(out, name), join(out, BESIDE.old + name)];
  if (existsSync(place)) await rename(place, old);
  await rename(join(out, BESIDE.building + name), place);
  await remove(old);
}

/** Removes folders of servers that are no longer configured. What somebody else put there stays. */
export async function removeOthers(out: string, names: readonly string[]): Promise<string[]> {
  const found = (await readdir(out)).filter((name) => !names.includes(name));
  const ours = await Promise.all(
    found.map(async (name) => (await questionOf(join(out, name))) !== undefined),
  );
  const removed = found.filter((_, index) => ours[index]);
  for (const name of removed) await remove(join(out, name));
  return removed;
}

/** What was asked for when the folder was built; undefined for one that `mayfly build` did not make. */
export async function questionOf(folder: string): Promise<Question | undefined> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(unreadable);
  const manifest = text === undefined ? undefined : parsed(text);
  const question = (Object(manifest) as { mayfly?: unknown }).mayfly;
  return typeof question === "object" && question !== null ? (question as Question) : undefined;
}

/** A file in the place of the folder, or a folder without the file, is nothing of ours. */
function unreadable(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}
