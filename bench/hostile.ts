// How much good callers notice of hostile ones: quiet and hostile rounds in turn, against the built adapter.
// Usage: npm run bench:hostile -- [--rounds N]. Exits with 1 when the p95 of a good request is twice as long under attack, or one has no answer.
import { fork, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { within } from "../test/support/deadline.ts";
import { descriptorsOf } from "../test/support/processes.ts";
import type { Order, Report } from "./attackers.ts";
import { machineFacts } from "./machine.ts";
import { ROOT } from "./servers.ts";
import { cpuMsOf } from "./ways.ts";
import { quantile, table } from "./statistics.ts";

/** Good requests of each kind in a round. */
const REQUESTS = { ping: 100, "tools/call": 30 } as const;
type Kind = keyof typeof REQUESTS;
const KINDS = Object.keys(REQUESTS) as Kind[];
const STATES = ["quiet", "hostile"] as const;
type State = (typeof STATES)[number];

const BODIES: Readonly<Record<Kind, string>> = {
  ping: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  "tools/call": '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{}}}',
};
/** Milliseconds for whatever is waited for. */
const PATIENCE_MS = 120_000;
const MAX_RATIO = 2;

interface Measured {
  readonly times: Record<Kind, number[]>;
  readonly failed: string[];
  readonly megabytes: number[];
  readonly descriptors: number[];
  /** Shares of one core. */
  readonly attackerShares: number[];
  readonly adapterShares: number[];
  readonly open: number[];
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "4" } } });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
await main(Number(values.rounds));

async function main(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-hostile-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  console.log(`${machineFacts()}\n`);
  const { child, url } = await startAdapter(folder);
  const attackers = fork(fileURLToPath(new URL("attackers.ts", import.meta.url)), [url], {
    execArgv: ["--import", "tsx"],
  });
  process.once("exit", () => [child, attackers].forEach((one) => one.kill()));
  const measured = { quiet: nothingYet(), hostile: nothingYet() };
  await round(url, child, attackers, nothingYet());
  for (let number = 0; number < rounds; number++) {
    await round(url, child, attackers, measured.quiet);
    await tell(attackers, "start");
    await round(url, child, attackers, measured.hostile);
    await tell(attackers, "stop");
  }
  const { sent } = await tell(attackers, "count");
  attackers.disconnect();
  child.kill();
  report(measured, sent, rounds);
}

function nothingYet(): Measured {
  const times = { ping: [], "tools/call": [] };
  return {
    times,
    failed: [],
    megabytes: [],
    descriptors: [],
    attackerShares: [],
    adapterShares: [],
    open: [],
  };
}

/** In a group of its own: what the terminal sends to this process is none of its business. */
async function startAdapter(folder: string): Promise<{ child: ChildProcess; url: string }> {
  const config = join(folder, "mcp.json");
  const server = (name: string) => ({
    command: process.execPath,
    args: [join(ROOT, "test", "fixtures", "servers", `${name}.mjs`)],
  });
  const mcpServers = { counter: server("counter"), big: server("big") };
  writeFileSync(config, JSON.stringify({ mcpServers, default: "counter" }));
  const args = [
    join(ROOT, "dist", "cli", "main.js"),
    "--config",
    config,
    "--port",
    "0",
    "--log-level",
    "error",
  ];
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const url = new Promise<string>((resolve) => {
    lines.on("line", (line) => {
      const [, found] = /^Mayfly listens on (http:\/\/[^/\s]+)\//.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  return { child, url: await within(url, PATIENCE_MS, "the adapter listens") };
}

/** @returns what the attackers say when they have obeyed */
async function tell(attackers: ChildProcess, order: Order): Promise<Report> {
  const answer = once(attackers, "message") as Promise<[Report]>;
  attackers.send(order);
  const [heard] = await within(answer, PATIENCE_MS, `the attackers ${order}`);
  return heard;
}

/** One good request after the other, each on a connection of its own: it must get in, too. */
async function round(
  url: string,
  { pid = 0 }: ChildProcess,
  attackers: ChildProcess,
  measured: Measured,
): Promise<void> {
  const before = await tell(attackers, "count");
  const cpuBefore = cpuMsOf(pid);
  const startedAt = performance.now();
  for (let index = 0; index < REQUESTS.ping; index++) {
    for (const kind of KINDS)
      if (index % (REQUESTS.ping / REQUESTS[kind]) < 1) await measureOnce(url, kind, measured);
  }
  const after = await tell(attackers, "count");
  const tookMs = performance.now() - startedAt;
  measured.attackerShares.push((after.cpuMs - before.cpuMs) / tookMs);
  measured.adapterShares.push((cpuMsOf(pid) - cpuBefore) / tookMs);
  measured.open.push(after.open);
  measured.megabytes.push(megabytesOf(pid));
  measured.descriptors.push(descriptorsOf(pid) ?? Number.NaN);
}

async function measureOnce(url: string, kind: Kind, { times, failed }: Measured): Promise<void> {
  const startedAt = performance.now();
  const answer = await ask(url, BODIES[kind]).catch((error: Error) => String(error));
  if (/^200 .*"result":/.test(answer)) times[kind].push(performance.now() - startedAt);
  else failed.push(`${kind}: ${answer}`);
}

async function ask(url: string, body: string): Promise<string> {
  const headers = { "content-type": "application/json", accept: "application/json" };
  const asking = request(`${url}/mcp`, { method: "POST", headers, agent: false });
  asking.end(body);
  const answer = once(asking, "response") as Promise<[IncomingMessage]>;
  const [response] = await within(answer, PATIENCE_MS, "an answer");
  return `${response.statusCode} ${await text(response)}`;
}

function megabytesOf(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}

function report(measured: Readonly<Record<State, Measured>>, sent: Report["sent"], rounds: number): void {
  const { quiet, hostile } = measured;
  const rows = KINDS.map((kind) => {
    const [before, under] = [quiet.times[kind], hostile.times[kind]];
    const cells = [before, under].flatMap((times) =>
      [0.5, 0.95].map((part) => quantile(times, part).toFixed(1)),
    );
    return [kind, ...cells, ratio(before, under, 0.5).toFixed(2), ratio(before, under, 0.95).toFixed(2)];
  });
  const head = ["request", "quiet p50 ms", "p95", "hostile p50 ms", "p95", "ratio p50", "ratio p95"];
  console.log(`${rounds} rounds of each, in turn:\n\n${table(head, rows)}\n`);
  for (const state of STATES) console.log(`${state}: ${stateText(measured[state])}`);
  console.log(
    `attacks: ${Object.entries(sent)
      .map(([kind, count]) => `${count} × ${kind}`)
      .join(", ")}`,
  );
  const failed = [...quiet.failed, ...hostile.failed];
  const good = STATES.flatMap((state) => KINDS.map((kind) => measured[state].times[kind].length));
  const answered = good.reduce((sum, count) => sum + count, 0);
  console.log(`good requests: ${answered} of ${answered + failed.length} answered`);
  for (const line of failed.slice(0, 5)) console.log(`  ${line.slice(0, 200)}`);
  const worst = Math.max(...KINDS.map((kind) => ratio(quiet.times[kind], hostile.times[kind], 0.95)));
  const passes = failed.length === 0 && worst < MAX_RATIO;
  console.log(
    passes ? `p95 under twice the quiet one` : `FAILED: the worst ratio of p95 is ${worst.toFixed(2)}`,
  );
  process.exitCode = passes ? 0 : 1;
}

function ratio(before: readonly number[], under: readonly number[], part: number): number {
  return quantile(under, part) / quantile(before, part);
}

function stateText({ megabytes, descriptors, attackerShares, adapterShares, open }: Measured): string {
  const most = (all: readonly number[]): string => Math.max(...all).toFixed(0);
  const share = (all: readonly number[]): string => (Math.max(...all) * 100).toFixed(0);
  return (
    `the adapter has ${most(megabytes)} MB and ${most(descriptors)} descriptors at most and takes ` +
    `${share(adapterShares)} % of a core; ${most(open)} hostile connections, which take ${share(attackerShares)} %`
  );
}
