// What a request through Mayfly takes, next to starting the same server without it.
// Usage: npm run bench -- [--rounds N] [--server name]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type * as Environment from "../lib/environment.ts";
import { direct, warm } from "./direct.ts";
import { measureImports } from "./imports.ts";
import { machineFacts } from "./machine.ts";
import { chosenServers } from "./servers.ts";
import type { BenchServer } from "./servers.ts";
import { alternated, median, quantile, table } from "./statistics.ts";
import { adapter, inMemory } from "./ways.ts";
import type { Way } from "./ways.ts";

/** A server and a way to it, and what was measured. */
interface Series {
  readonly server: BenchServer;
  readonly way: Way;
  readonly times: number[];
  readonly cpuTimes: number[];
}

const WARM_UP_ROUNDS = 3;
const IMPORT_ROUNDS = 15;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, server: { type: "string" } },
});
// `exit` kills what runs; without a listener these signals would not come by there.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
await main(Number(values.rounds), values.server);

async function main(rounds: number, name: string | undefined): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const servers = chosenServers(folder, name, rounds);
  console.log(`${machineFacts()}\n`);
  const series = await measure(servers, rounds, folder);
  console.log(`${rounds} rounds, sequential, in alternating order:\n\n${overheadTable(series)}\n`);
  const imports = await measureImports(IMPORT_ROUNDS, folder);
  console.log(`Medians of ${IMPORT_ROUNDS} fresh processes each, in alternating order:\n\n${imports}`);
}

async function measure(
  servers: readonly BenchServer[],
  rounds: number,
  folder: string,
): Promise<readonly Series[]> {
  const ways: Way[] = [];
  try {
    const env = await serverEnvironment();
    ways.push(direct(env));
    ways.push(await inMemory(servers));
    ways.push(await adapter(servers, folder));
    ways.push(await warm(env, servers));
    const series = servers.flatMap((server) =>
      ways.map((way): Series => ({ server, way, times: [], cpuTimes: [] })),
    );
    for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
      for (const item of alternated(series, round + WARM_UP_ROUNDS)) await once(item, round >= 0);
    }
    return series;
  } finally {
    for (const way of ways) await way.close();
  }
}

/** The variables that Mayfly gives to a server. */
async function serverEnvironment(): Promise<Record<string, string>> {
  const built = new URL("../dist/environment.js", import.meta.url).href;
  const { inheritedEnvironment } = (await import(built)) as typeof Environment;
  return inheritedEnvironment(process.env, []);
}

/** One request. The next one starts when nothing of this one is left. */
async function once({ server, way, times, cpuTimes }: Series, counts: boolean): Promise<void> {
  const cpuMs = way.cpuMs();
  const startedAt = performance.now();
  const answer = await way.run(server);
  const ms = performance.now() - startedAt;
  await way.settled();
  if (!answer.includes('"result":')) throw new Error(`${way.name}, ${server.name}: ${answer}`);
  if (!counts) return;
  times.push(ms);
  cpuTimes.push(way.cpuMs() - cpuMs);
}

/**
 * `added` is the median of the differences to `direct` within a round, `ratio` that of the two medians; `host CPU` is
 * what the process that starts the server uses, from the request until the server is gone.
 */
function overheadTable(series: readonly Series[]): string {
  const rows = series.map(({ server, way, times, cpuTimes }) => {
    const base = series.find((other) => other.server === server)?.times ?? [];
    return [
      server.name,
      way.name,
      median(times).toFixed(1),
      quantile(times, 0.95).toFixed(1),
      added(times, base),
      (median(times) / median(base)).toFixed(2),
      text(median(cpuTimes)),
    ];
  });
  return table(["server", "way", "median ms", "p95 ms", "added ms", "ratio", "host CPU ms"], rows);
}

function added(times: readonly number[], base: readonly number[]): string {
  return times === base ? "–" : text(median(times.map((ms, round) => ms - (base[round] ?? Number.NaN))));
}

function text(ms: number): string {
  return Number.isNaN(ms) ? "–" : ms.toFixed(1);
}
