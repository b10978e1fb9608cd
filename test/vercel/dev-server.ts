import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { collectLog, refuseNodeModulesAbove, stopProcess } from "./process.ts";

const startMs = 20_000;
const stopMs = 2_000;

const devServer = createRequire(import.meta.url).resolve("@vercel/node/dist/dev-server.mjs");

export interface DevServer {
  url: string;
  pid: number;
  log(): string;
  stop(): Promise<void>;
}

/** Runs a built function under Vercel's own development server. It knows no rewrites: every path is the function's. */
export async function startDevServer(
  outputFolder: string,
  env: Record<string, string> = {},
  handler = "api/mcp.js",
): Promise<DevServer> {
  refuseNodeModulesAbove(outputFolder);
  const child = spawn(process.execPath, [devServer], {
    cwd: outputFolder,
    env: { ...env, ...devServerEnv(handler) },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const log = collectLog(child);
  try {
    const url = `http://127.0.0.1:${await readPort(child)}`;
    return { url, pid: child.pid ?? 0, log, stop: () => stopProcess(child, stopMs) };
  } catch (cause) {
    await stopProcess(child, 0);
    throw new Error(`the development server did not start: ${log()}`, { cause });
  }
}

function devServerEnv(handler: string) {
  return {
    VERCEL_DEV_ENTRYPOINT: handler,
    VERCEL_DEV_PORT: "0",
    VERCEL_DEV_CONFIG: "{}",
    VERCEL_DEV_BUILD_ENV: "{}",
  };
}

async function readPort(child: ChildProcess): Promise<number> {
  const [address] = (await once(child, "message", { signal: AbortSignal.timeout(startMs) })) as [
    { port: number },
  ];
  return address.port;
}
