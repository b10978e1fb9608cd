import { accessSync, constants, lstatSync, mkdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Variables that a server gets because its HOME cannot be written, and how to remove what they point to. */
export interface Home {
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

const AS_IT_IS: Home = { env: {}, remove: () => Promise.resolve() };

/**
 * A HOME for one process, where the host's own is read-only, as in functions. Its caches outlive it, or else `npx`
 * would download the same package for every request. A HOME that can be written is left alone.
 */
export async function prepareHome(home: string | undefined): Promise<Home> {
  if (home !== undefined && isWritable(home)) return AS_IT_IS;
  const caches = cacheVariables();
  const folder = await mkdtemp(join(tmpdir(), "mayfly-home-"));
  return {
    env: { HOME: folder, ...caches },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    // Containers without a user's folder have /dev/null there, which can be written.
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

function cacheVariables(): Record<string, string> {
  const caches = ownFolder(join(tmpdir(), `mayfly-cache-${process.getuid?.() ?? "user"}`));
  const variables = { npm_config_cache: "npm", XDG_CACHE_HOME: "xdg", UV_CACHE_DIR: "uv" };
  return Object.fromEntries(Object.entries(variables).map(([name, folder]) => [name, join(caches, folder)]));
}

/** The name is known to everybody on the machine: a folder that somebody else made there could hold their code. */
function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) {
    throw new Error(`${path} belongs to somebody else`);
  }
  return path;
}
