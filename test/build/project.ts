import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** What was built: `npm run build` comes before these tests. */
const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const TIMEOUT_MS = 240_000;

/** The caches and settings of npm that this test run has; HOME is another one. */
function npmSettings(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => /^npm_config_/i.test(name));
  return {
    npm_config_userconfig: join(homedir(), ".npmrc"),
    npm_config_cache: join(homedir(), ".npm"),
    ...Object.fromEntries(own.map(([name, value = ""]) => [name, value])),
    // The registry is asked for what is not here yet, and no more often than that.
    npm_config_prefer_offline: "true",
  };
}

export interface Built {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `mayfly build` in a folder. */
export async function build(
  folder: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Built> {
  const options = {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, ...npmSettings(), ...env },
    timeout: TIMEOUT_MS,
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, "build", ...args], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    );
  });
}

/** A folder with a configuration of these servers. */
export async function project(folder: string, mcpServers: Readonly<Record<string, object>>): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "mcp.json"), JSON.stringify({ mcpServers }));
  return folder;
}

/** The files below the folder, without what links lead to, by their paths. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => relative(folder, join(entry.parentPath, entry.name))).toSorted();
}

/** What stands in all of them. */
export async function digestsBelow(folder: string): Promise<Record<string, string>> {
  const digest = async (file: string): Promise<string> =>
    createHash("sha256")
      .update(await readFile(join(folder, file)))
      .digest("hex");
  const files = await filesBelow(folder);
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await digest(file)] as const)),
  );
}
