// What a request costs in CPU and memory, and how many a second several instances answer behind nginx.
// Usage: npm run bench:scale -- [--seconds N] [--rounds N]. Linux, with nginx.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { NGINX } from "../test/scale/balancers.ts";
import { startFleet } from "../test/scale/fleet.ts";
import type { Fleet, Instance } from "../test/scale/fleet.ts";
import { sharedScope } from "../test/support/shared-scope.ts";
import { until } from "../test/support/deadline.ts";
import { machineFacts } from "./machine.ts";
import { cpuOf, idle, memoryOf, serversOf } from "./scale/accounts.ts";
import { paperTable } from "./scale/paper.ts";
import { flood, kindsOf, send } from "./scale/requests.ts";
import type { Kind } from "./scale/requests.ts";
import { ROOT, benchServers } from "./servers.ts";
import type { BenchServer } from "./servers.ts";
import { median, table } from "./statistics.ts";

const INSTANCES = [1, 2, 4];
const CLIENTS = 8;
const RUNNING = 8;

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "8" }, rounds: { type: "string", default: "3" } },
});
if (NGINX.skip !== false) throw new Error(NGINX.skip);
await main(Number(values.seconds), Number(values.rounds));

async function main(seconds: number, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-bench-"));
  try {
    const servers = benchServers(folder);
    const kinds = kindsOf(servers);
    console.log(`${machineFacts()}\n`);
    const costs = await alone(servers, kinds, rounds);
    console.log(`On paper, at 60% of each core:\n\n${paperTable(costs)}\n`);
    await together(servers, kinds.filter(isFlooded), seconds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function withFleet<Result>(
  servers: readonly BenchServer[],
  instances: number,
  use: (fleet: Fleet) => Promise<Result>,
): Promise<Result> {
  const scope = sharedScope();
  const token = `bench-${process.pid}-${instances}`;
  const entries = servers.map(({ name, args, env }) => [
    name,
    { command: process.execPath, args, env, cwd: ROOT },
  ]);
  const mcpServers = Object.fromEntries(entries) as Parameters<typeof startFleet>[1]["mcpServers"];
  try {
    return await use(await startFleet(scope, { balancer: NGINX, instances, mcpServers, token }));
  } finally {
    await scope.end();
  }
}

/** One request after the other at one instance: what each kind costs, by the median of the rounds. */
function alone(
  servers: readonly BenchServer[],
  kinds: readonly Kind[],
  rounds: number,
): Promise<Map<string, number>> {
  return withFleet(servers, 1, async ({ instances: [instance] }) => {
    if (!instance) throw new Error("no instance");
    const rows: string[][] = [];
    const costs = new Map<string, number>();
    for (const kind of kinds) {
      await cost(instance, kind);
      const measured: { own: number; children: number }[] = [];
      for (let round = 0; round < rounds; round++) measured.push(await cost(instance, kind));
      const [own, children] = [
        median(measured.map((one) => one.own)),
        median(measured.map((one) => one.children)),
      ];
      costs.set(kind.name, own + children);
      rows.push([kind.name, own.toFixed(2), children.toFixed(1), (own + children).toFixed(1)]);
    }
    console.log(table(["request", "adapter CPU ms", "server CPU ms", "sum"], rows), "\n");
    await tellMemory(instance);
    return costs;
  });
}

/** Milliseconds of CPU for one request. */
async function cost(instance: Instance, kind: Kind): Promise<{ own: number; children: number }> {
  await idle(instance.pid);
  const before = cpuOf(instance.pid);
  for (let index = 0; index < kind.count; index++) await send(instance.url, kind);
  await idle(instance.pid);
  const after = cpuOf(instance.pid);
  return {
    own: (after.own - before.own) / kind.count,
    children: (after.children - before.children) / kind.count,
  };
}

/** Of an instance, and of each request that runs on server-everything. */
async function tellMemory(instance: Instance): Promise<void> {
  const before = memoryOf(instance.pid);
  const leaving = new AbortController();
  const body = { name: "trigger-long-running-operation", arguments: { duration: 60, steps: 1 } };
  const calls = Array.from({ length: RUNNING }, (_, id) =>
    fetch(`${instance.url}/mcp/server-everything`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: body }),
      signal: leaving.signal,
    }).catch(() => undefined),
  );
  const ready = (): number[] | false => {
    const pids = serversOf(instance.pid);
    return pids.length === RUNNING && pids.every((pid) => cpuOf(pid).own > 100) && pids;
  };
  const pids = await until(ready, { withinMs: 60_000, label: "all servers run" });
  const [adapter, each] = [memoryOf(instance.pid), median(pids.map(memoryOf))];
  leaving.abort();
  await Promise.all(calls);
  const parts = [`adapter ${before.toFixed(0)} MiB idle`, `${adapter.toFixed(0)} with ${RUNNING} requests`];
  console.log(`${parts.join(", ")}; each server-everything ${each.toFixed(0)} MiB (PSS)\n`);
}

/** The quickest, the slowest, and a server that does hardly anything. */
function isFlooded({ name }: Kind): boolean {
  return ["ping", "tools/call of server-everything", "tools/call of counter"].includes(name);
}

/** Several clients at once, behind nginx. */
async function together(
  servers: readonly BenchServer[],
  kinds: readonly Kind[],
  seconds: number,
): Promise<void> {
  const rows = kinds.map(({ name }) => [name]);
  for (const count of INSTANCES) {
    await withFleet(servers, count, async ({ url, instances }) => {
      for (const [index, kind] of kinds.entries()) {
        await flood(url, kind, CLIENTS, 1000);
        const answered = await flood(url, kind, CLIENTS, seconds * 1000);
        rows[index]?.push((answered / seconds).toFixed(1));
        for (const { pid } of instances) await idle(pid);
      }
    });
  }
  const heads = INSTANCES.map((count) => `${count} inst.`);
  console.log(`Answers a second, ${CLIENTS} clients at once, behind nginx:\n`);
  console.log(table(["request", ...heads], rows));
}
