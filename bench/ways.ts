import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

import type * as Mayfly from "../lib/index.ts";
import { until, within } from "../test/support/deadline.ts";
import { allProcesses } from "../test/support/processes.ts";
import type { ProcessInfo } from "../test/support/processes.ts";
import { ROOT, callText } from "./servers.ts";
import type { BenchServer } from "./servers.ts";

/** A way to get one answer out of a stdio server. */
export interface Way {
  readonly name: string;
  /** What is measured: up to the text of the answer. */
  run(server: BenchServer): Promise<string>;
  /** Resolves when what `run` started is gone. */
  settled(): Promise<void>;
  /** Milliseconds of CPU that the process which starts the server has used so far; NaN where nothing tells. */
  cpuMs(): number;
  close(): Promise<void>;
}

/** Milliseconds for whatever this benchmark waits for; far more than anything takes. */
const PATIENCE_MS = 10_000;

export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The built handler, in this process. */
export async function inMemory(servers: readonly BenchServer[]): Promise<Way> {
  const built = new URL("../dist/index.js", import.meta.url).href;
  const { createHandler } = (await import(built)) as typeof Mayfly;
  const handler = createHandler({
    mcpServers: mcpServers(servers),
    baseDirectory: ROOT,
    allowAnonymous: true,
  });
  process.once("exit", handler.kill);
  let gone: Promise<unknown> | undefined;
  return {
    name: "Mayfly in memory",
    async run(server) {
      const request = new Request(`http://localhost/mcp/${server.name}`, post(server));
      const response = await handler.fetch(request, { waitUntil: (promise) => void (gone = promise) });
      return response.text();
    },
    settled: async () => void (await gone),
    cpuMs: ownCpuMs,
    async close() {
      await handler.close();
      process.off("exit", handler.kill);
    },
  };
}

/** The built Node adapter, in a process of its own, over HTTP. */
export async function adapter(servers: readonly BenchServer[], folder: string): Promise<Way> {
  const config = join(folder, "mcp.json");
  writeFileSync(config, JSON.stringify({ mcpServers: mcpServers(servers) }));
  const args = [join(ROOT, "dist", "cli", "main.js"), "--config", config, "--cwd", ROOT, "--port", "0"];
  const child = spawn(process.execPath, args, {
    detached: true,
    cwd: ROOT,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const kill = (): boolean => child.kill();
  process.once("exit", kill);
  const url = await within(urlIn(child.stdout), PATIENCE_MS, "the adapter listens");
  const settled = async (): Promise<void> => {
    // The guard stays as long as the adapter.
    const isServer = ({ ppid, command }: ProcessInfo): boolean =>
      ppid === child.pid && !command.includes("mayfly-guard");
    const idle = (): boolean => !allProcesses().some(isServer);
    await until(idle, { withinMs: PATIENCE_MS, label: "the adapter's servers are gone" });
  };
  // It asks its first server for an example when it starts.
  await within(once(child.stdout, "data"), PATIENCE_MS, "the adapter shows an example");
  await settled();
  return {
    name: "Mayfly over HTTP",
    run: async (server) => (await fetch(`${url}/mcp/${server.name}`, post(server))).text(),
    settled,
    cpuMs: () => cpuMsOf(child.pid),
    async close() {
      await stop(child);
      process.off("exit", kill);
    },
  };
}

function mcpServers(servers: readonly BenchServer[]): Record<string, Mayfly.ServerConfig> {
  const entries = servers.map(({ name, args, env }) => [name, { command: process.execPath, args, env }]);
  return Object.fromEntries(entries) as Record<string, Mayfly.ServerConfig>;
}

function post(server: BenchServer): RequestInit {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  return { method: "POST", headers, body: callText(server, 1) };
}

/** Reads on afterwards, so that the adapter can go on writing. */
function urlIn(stdout: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stdout });
    lines.on("line", (line) => {
      const [, url] = /^Mayfly listens on (http:\/\/[^/\s]+)\/mcp/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    lines.once("close", () => reject(new Error("the adapter ended before it listened")));
  });
}

/** Of all its threads, in nanoseconds: `/proc/PID/stat` counts in steps of 10 ms. */
export function cpuMsOf(pid: number | undefined): number {
  const folder = `/proc/${pid}/task`;
  if (!existsSync(`${folder}/${pid}/schedstat`)) return Number.NaN;
  const times = readdirSync(folder).map((task) =>
    Number(readFileSync(`${folder}/${task}/schedstat`, "utf8").split(" ")[0]),
  );
  return times.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill();
  await within(exited, PATIENCE_MS, "the adapter stops").catch(() => child.kill("SIGKILL"));
}
