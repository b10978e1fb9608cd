import { existsSync } from "node:fs";
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { installedAt } from "../resolve.ts";
import type { PackageCall } from "../resolve.ts";
import { npm } from "./npm.ts";
import { folderBeside, putInPlace, questionOf } from "./place.ts";
import type { Question } from "./place.ts";

/** A package that was installed for a server. */
export interface Installed {
  readonly name: string;
  readonly version: string;
  /** The file that runs it under Node, relative to the server's folder; undefined if Node does not run it. */
  readonly entry: string | undefined;
  /** Packages with programs for their installation, which were not run. */
  readonly skippedScripts: readonly string[];
}

export interface InstallOptions {
  /** Where the servers go. */
  readonly out: string;
  readonly runScripts: boolean;
}

const LOCK_FILE = "package-lock.json";

/**
 * Installs the package into the server's folder. A lock file that answers the same question is installed as it is:
 * a range or a tag is resolved once, and stays until the question changes.
 * @throws Error whose message is the reason
 */
export async function install(
  server: string,
  call: PackageCall,
  { out, runScripts }: InstallOptions,
): Promise<Installed> {
  if (await isForeign(join(out, server)))
    throw new Error("its folder holds files that mayfly build did not make");
  const question = { [call.name]: call.version ?? "latest" };
  const folder = await emptyFolder(out, server, question);
  try {
    const isLocked = await takeLock(join(out, server), folder, question);
    await npm({ verb: isLocked ? "ci" : "install", folder, runScripts });
    const { version, entry } = lookedUp(folder, call);
    const skippedScripts = runScripts ? [] : await packagesWithScripts(folder);
    await putInPlace(out, server);
    return { name: call.name, version, entry: entry && relative(folder, entry), skippedScripts };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function lookedUp(folder: string, call: PackageCall): { version: string; entry: string | undefined } {
  const { version, bin, entry } = installedAt(folder, call) ?? {};
  if (version === undefined) throw new Error("npm installed it under another name");
  if (bin === undefined) throw new Error("it has no program that npx would run");
  if (!existsSync(bin)) throw new Error(`its program is missing: ${relative(folder, bin)}`);
  return { version, entry };
}

/**
 * A server that needs no package has a folder too, for what is recorded of it. One that somebody keeps his own files in
 * stays as it is.
 */
export async function withoutPackage(server: string, out: string): Promise<void> {
  if (await isForeign(join(out, server))) return;
  await emptyFolder(out, server, {});
  await putInPlace(out, server);
}

async function isForeign(folder: string): Promise<boolean> {
  return existsSync(folder) && (await questionOf(folder)) === undefined;
}

/** The question is kept beside the answer, and says that the folder is ours. */
async function emptyFolder(out: string, server: string, question: Question): Promise<string> {
  const folder = await folderBeside(out, server);
  const manifest = { private: true, dependencies: question, mayfly: question };
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}

async function takeLock(from: string, to: string, question: Question): Promise<boolean> {
  const lock = join(from, LOCK_FILE);
  const isAnswer = existsSync(lock) && isDeepStrictEqual(await questionOf(from), question);
  if (isAnswer) await copyFile(lock, join(to, LOCK_FILE));
  return isAnswer;
}

interface LockFile {
  readonly packages?: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
}

async function packagesWithScripts(folder: string): Promise<string[]> {
  const { packages = {} } = JSON.parse(await readFile(join(folder, LOCK_FILE), "utf8")) as LockFile;
  const places = Object.keys(packages).filter((place) => packages[place]?.hasInstallScript);
  const names = places
    // Optional packages for other systems are locked and not installed.
    .filter((place) => existsSync(join(folder, place)))
    .map((place) => place.replace(/^.*node_modules\//, ""));
  return [...new Set(names)].toSorted();
}
