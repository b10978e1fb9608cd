import { randomBytes } from "node:crypto";
import { accessSync, constants, lstatSync, mkdirSync, statSync } from "node:fs";
import { lstat, mkdir, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import type { Logger } from "../logger.ts";
import { HOST_ID, fateOf } from "./host-id.ts";
import { removeFolder } from "./remove-folder.ts";

/** The variables of a process with the places that are its own, and how to remove those. */
export interface Home {
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** Who needs a home. */
export interface Wanted {
  /** The variables so far. */
  readonly env: Readonly<Record<string, string>>;
  /** Those that the operator has chosen a value for: they stay. */
  readonly operatorSets: readonly string[];
  /** Whether HOME and the folder for temporary files must be those of no other process. */
  readonly isPrivate: boolean;
  /** The program, as the operator wrote it: some download what they start, and must find it again. */
  readonly command: string;
}

export interface Homes {
  /**
   * Makes a home for one process. What is not private gets one only where the host's own is read-only, as in functions.
   */
  prepare(wanted: Wanted): Promise<Home>;
}

/** @param hostId that the names of all folders bear */
export function createHomes(hostId: string): Homes {
  return {
    async prepare(wanted) {
      const { env, isPrivate } = wanted;
      const hasHome = isWritable(env["HOME"]);
      if (!isPrivate && hasHome) return { env, remove: () => Promise.resolve() };
      const caches = hasHome ? cachesIn(env["HOME"] ?? "", wanted.command) : cachesAside(wanted.command);
      const folder = join(tmpdir(), `${PREFIX}${hostId}-${randomBytes(8).toString("hex")}`);
      const places = await makePlaces(folder, isPrivate);
      return {
        env: { ...caches, ...inheritedBy(wanted), ...(hasHome ? freeOf(places, wanted) : places) },
        remove: () => removeFolder(folder),
      };
    },
  };
}

const PREFIX = "mayfly-";

/** A folder that several processes know, where programs keep what they would not show others. */
const SHARED_FOLDER = /^XDG_\w+_(?:HOME|DIR)$/;

function inheritedBy({ env, operatorSets, isPrivate }: Wanted): Record<string, string> {
  const stays = ([name]: [string, string]): boolean =>
    !SHARED_FOLDER.test(name) || operatorSets.includes(name);
  return isPrivate ? Object.fromEntries(Object.entries(env).filter(stays)) : env;
}

function freeOf(places: Readonly<Record<string, string>>, { operatorSets }: Wanted): Record<string, string> {
  return Object.fromEntries(Object.entries(places).filter(([name]) => !operatorSets.includes(name)));
}

/**
 * Nobody can have made the folder before: this would fail, and with names that can be foreseen, whoever may make folders
 * there could keep all others from being served.
 */
async function makePlaces(folder: string, isPrivate: boolean): Promise<Record<string, string>> {
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  await mkdir(folder, { mode: 0o700 });
  try {
    await Promise.all((isPrivate ? [home, temporary] : [home]).map((inner) => mkdir(inner)));
  } catch (error) {
    await removeFolder(folder);
    throw error;
  }
  if (process.platform === "win32")
    return { USERPROFILE: home, ...(isPrivate && { TEMP: temporary, TMP: temporary }) };
  return { HOME: home, ...(isPrivate && { TMPDIR: temporary }) };
}

function isWritable(folder: string | undefined): boolean {
  try {
    accessSync(folder ?? "", constants.W_OK);
    // Containers without a user's folder have /dev/null there, which can be written.
    return statSync(folder ?? "").isDirectory();
  } catch {
    return false;
  }
}

/** In a HOME of its own, a launcher would download its package again, from a registry that it is not told of. */
function cachesIn(home: string, command: string): Record<string, string> {
  const launcher = programOf(command);
  if (launcher === "npx" || launcher === "npm") {
    return { npm_config_cache: join(home, ".npm"), npm_config_userconfig: join(home, ".npmrc") };
  }
  if (!isUv(launcher)) return {};
  const data = join(home, ".local", "share", "uv");
  return { UV_CACHE_DIR: join(home, ".cache", "uv"), UV_PYTHON_INSTALL_DIR: join(data, "python") };
}

function programOf(command: string): string {
  return basename(command).replace(/\.\w+$/, "");
}

function isUv(launcher: string): boolean {
  return launcher === "uvx" || launcher === "uv";
}

/** They outlive the process, or else `npx` would download the same package for every request, and `uvx` a Python. */
function cachesAside(command: string): Record<string, string> {
  const caches = ownFolder(join(tmpdir(), `mayfly-cache-${process.getuid?.() ?? "user"}`));
  const variables = {
    ...{ npm_config_cache: "npm", XDG_CACHE_HOME: "xdg", UV_CACHE_DIR: "uv" },
    ...(isUv(programOf(command)) && { UV_PYTHON_INSTALL_DIR: "uv-python" }),
  };
  return Object.fromEntries(Object.entries(variables).map(([name, folder]) => [name, join(caches, folder)]));
}

/** The name is known to everybody on the machine: a folder that somebody else made there could hold their code. */
function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || !isOurs(found.uid)) throw new Error(`${path} belongs to somebody else`);
  return path;
}

function isOurs(uid: number): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

const FOLDER = new RegExp(`^${PREFIX}(${HOST_ID})-[0-9a-f]+$`);

/** Milliseconds after which a folder whose host cannot be looked up from here is nobody's any more: a week. */
const FORGOTTEN_MS = 7 * 24 * 60 * 60 * 1000;

/** Removes the folders of hosts that were killed. */
export async function removeLeftovers(logger: Logger): Promise<void> {
  const names = await readdir(tmpdir());
  for (const name of names) {
    const host = FOLDER.exec(name)?.[1];
    const folder = join(tmpdir(), name);
    if (host !== undefined && (await isLeftover(folder, host))) await removeLeftover(folder, logger);
  }
}

/** One that cannot be removed must not keep the others. */
async function removeLeftover(folder: string, logger: Logger): Promise<void> {
  try {
    await removeFolder(folder);
    logger.info({ folder }, "A folder that a killed host had left was removed");
  } catch (err) {
    logger.warn({ err, folder }, "A folder that a killed host had left could not be removed");
  }
}

async function isLeftover(folder: string, host: string): Promise<boolean> {
  const fate = fateOf(host);
  if (fate === "alive") return false;
  // Another host may be at it too.
  const found = await lstat(folder).catch(() => undefined);
  if (!found?.isDirectory() || !isOurs(found.uid)) return false;
  return fate === "gone" || Date.now() - found.mtimeMs > FORGOTTEN_MS;
}
