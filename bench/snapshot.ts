// What a list takes from a snapshot, next to a process: in a host that runs, and as the first request of a function.
// Usage: npm run bench:snapshot -- [--rounds N] [--server name]
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";

import type * as Mayfly from "../lib/index.ts";
import type * as Format from "../lib/snapshot/format.ts";
import type * as Recorder from "../lib/snapshot/record-server.ts";
import { machineFacts } from "./machine.ts";
import { ROOT, chosenServers } from "./servers.ts";
import type { BenchServer } from "./servers.ts";
import { alternated, median, quantile, table } from "./statistics.ts";
import { ownCpuMs } from "./ways.ts";

const LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const WARM_UP_ROUNDS = 3;

/** What was measured of one server in one way. */
interface Series {
  readonly server: BenchServer;
  readonly name: "a process" | "the snapshot";
  readonly list: () => Promise<Measured>;
  readonly measured: Measured[];
}

interface Measured {
  readonly ms: number;
  /** Of this process, and of the servers that it has waited for. */
  readonly cpuMs: number;
  readonly childrenMs: number;
}

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, server: { type: "string" } },
});
await main(Number(values.rounds), values.server);

async function main(rounds: number, name: string | undefined): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const servers = chosenServers(folder, name, rounds);
  console.log(`${machineFacts()}\n`);
  const running: Series[] = [];
  const handlers: Mayfly.Handler[] = [];
  for (const server of servers) {
    const options = await built(server, join(folder, `of-${server.name}`));
    for (const snapshot of [false, true]) {
      const handler = (await imported<typeof Mayfly>("index.js")).createHandler({ ...options, snapshot });
      handlers.push(handler);
      running.push(seriesOf(server, snapshot, () => listed(handler)));
    }
  }
  await measure(running, rounds);
  for (const handler of handlers) await handler.close();
  console.log(
    `tools/list in a host that runs, ${rounds} rounds in alternating order:\n\n${tableOf(running)}\n`,
  );
  const first = servers.flatMap((server) =>
    [false, true].map((snapshot) =>
      seriesOf(server, snapshot, () => firstOf(server, join(folder, `of-${server.name}`), snapshot)),
    ),
  );
  await measure(first, rounds);
  console.log(
    `tools/list as the first request of the bundled function, in a fresh process:\n\n${tableOf(first)}`,
  );
}

async function imported<Module>(file: string): Promise<Module> {
  return (await import(pathToFileURL(join(ROOT, "dist", file)).href)) as Module;
}

/** The server as it is configured, with its snapshot in the folder. */
async function built({ args, env }: BenchServer, baseDirectory: string): Promise<Mayfly.HandlerOptions> {
  const { recordServer } = await imported<typeof Recorder>("snapshot/record-server.js");
  const { snapshotText } = await imported<typeof Format>("snapshot/format.js");
  const config = { command: process.execPath, args, ...(env && { env }) };
  const options = { mcpServers: { default: config }, baseDirectory, allowAnonymous: true };
  const home = join(baseDirectory, "servers", "default");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(baseDirectory, "mcp.json"), JSON.stringify({ mcpServers: options.mcpServers }));
  const { snapshot } = await recordServer("default", options);
  writeFileSync(join(home, "snapshot.json"), snapshotText(snapshot));
  return options;
}

function seriesOf(server: BenchServer, snapshot: boolean, list: Series["list"]): Series {
  return { server, name: snapshot ? "the snapshot" : "a process", list, measured: [] };
}

async function measure(series: readonly Series[], rounds: number): Promise<void> {
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const { list, measured } of alternated(series, round + WARM_UP_ROUNDS)) {
      const one = await list();
      if (round >= 0) measured.push(one);
    }
  }
}

async function listed({ fetch }: Mayfly.Handler): Promise<Measured> {
  const [before, childrenBefore, startedAt] = [ownCpuMs(), childrenCpuMs(), performance.now()];
  const ends: Promise<unknown>[] = [];
  const request = new Request("http://localhost/mcp", { method: "POST", headers: HEADERS, body: LIST });
  const response = await fetch(request, { waitUntil: (promise) => void ends.push(promise) });
  check(await response.text());
  const ms = performance.now() - startedAt;
  await Promise.all(ends);
  return { ms, cpuMs: ownCpuMs() - before, childrenMs: childrenCpuMs() - childrenBefore };
}

/** From the start of Node to the answer, as a platform starts an instance; all its CPU counts as that of a child. */
async function firstOf({ name }: BenchServer, cwd: string, snapshot: boolean): Promise<Measured> {
  const bundle = JSON.stringify(pathToFileURL(join(ROOT, "dist", "bundle", "vercel.js")).href);
  const init = JSON.stringify({ method: "POST", headers: HEADERS, body: LIST });
  const code = `const { default: { fetch } } = await import(${bundle});
    console.log(await (await fetch(new Request("http://localhost/mcp", ${init}))).text());`;
  const env = {
    PATH: process.env["PATH"],
    ALLOW_ANONYMOUS: "true",
    SNAPSHOT: String(snapshot),
    LOG_LEVEL: "silent",
  };
  const [childrenBefore, startedAt] = [childrenCpuMs(), performance.now()];
  const args = ["--input-type=module", "--eval", code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env });
  check(stdout, name);
  return { ms: performance.now() - startedAt, cpuMs: 0, childrenMs: childrenCpuMs() - childrenBefore };
}

function check(answer: string, name = "a server"): void {
  if (!answer.includes('"tools":')) throw new Error(`${name}: ${answer}`);
}

/** Of children that have ended, in steps of 10 ms: the mean of many rounds is finer. NaN where nothing tells. */
function childrenCpuMs(): number {
  if (process.platform !== "linux") return Number.NaN;
  const stat = readFileSync("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [fields[13], fields[14]].map(Number);
  return ((user ?? 0) + (system ?? 0)) * 10;
}

function tableOf(series: readonly Series[]): string {
  const rows = series.map(({ server, name, measured }) => {
    const times = measured.map(({ ms }) => ms);
    const all = measured.map(({ cpuMs, childrenMs }) => cpuMs + childrenMs);
    const mean = all.reduce((sum, ms) => sum + ms, 0) / all.length;
    return [server.name, name, median(times).toFixed(2), quantile(times, 0.95).toFixed(2), mean.toFixed(2)];
  });
  return table(["server", "from", "median ms", "p95 ms", "CPU ms"], rows);
}
