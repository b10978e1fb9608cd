// What `mayfly connect` adds to a call, next to the same client directly, and whether its memory stays flat.
// Usage: npm run bench:connect -- [--rounds N] [--calls N]
import { parseArgs } from "node:util";

import { temporaryFolder } from "../test/support/files.ts";
import { sharedScope } from "../test/support/shared-scope.ts";
import { measureMemory } from "./connect/memory.ts";
import { startMayfly, startRemotes } from "./connect/remotes.ts";
import type { BenchRemote } from "./connect/remotes.ts";
import { openWays } from "./connect/ways.ts";
import type { Way } from "./connect/ways.ts";
import { machineFacts } from "./machine.ts";
import { alternated, median, quantile, table } from "./statistics.ts";

/** A way to a remote, and how long its calls took. */
interface Series {
  readonly remote: BenchRemote;
  readonly way: Way;
  readonly times: number[];
}

const WARM_UP_ROUNDS = 100;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "1000" }, calls: { type: "string", default: "10000" } },
});
await main(Number(values.rounds), Number(values.calls));

async function main(rounds: number, calls: number): Promise<void> {
  if (!(rounds >= 1 && calls >= 1000)) throw new Error("not a number of rounds, or not 1000 calls");
  console.log(`${machineFacts()}\n`);
  const scope = sharedScope();
  try {
    const series = await measure(rounds);
    console.log(
      `${rounds} rounds, one call after the other, in alternating order:\n\n${latencyTable(series)}\n`,
    );
    const memory = await measureMemory(scope, await startMayfly(scope), calls);
    console.log(`${calls} calls through one process, ten at a time:\n\n${memory}`);
  } finally {
    await scope.end();
  }
}

async function measure(rounds: number): Promise<readonly Series[]> {
  const scope = sharedScope();
  try {
    const home = await temporaryFolder(scope);
    const series: Series[] = [];
    for (const remote of await startRemotes(scope)) {
      const ways = await openWays(scope, remote, home);
      series.push(...ways.map((way): Series => ({ remote, way, times: [] })));
    }
    for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
      for (const item of alternated(series, round + WARM_UP_ROUNDS)) await once(item, round >= 0);
    }
    return series;
  } finally {
    await scope.end();
  }
}

async function once({ way, times }: Series, counts: boolean): Promise<void> {
  const startedAt = performance.now();
  await way.run();
  if (counts) times.push(performance.now() - startedAt);
}

/** `added` is the median of the differences, within a round, to the same client directly. */
function latencyTable(series: readonly Series[]): string {
  const rows = series.map(({ remote, way, times }) => {
    const isBase = (other: Series): boolean =>
      other.remote === remote && other.way.client === way.client && other.way.name === "direct";
    const base = series.find(isBase)?.times ?? [];
    const added = median(times.map((ms, round) => ms - (base[round] ?? Number.NaN)));
    return [
      remote.name,
      way.client,
      way.name,
      median(times).toFixed(2),
      quantile(times, 0.95).toFixed(2),
      times === base ? "–" : added.toFixed(2),
    ];
  });
  return table(["remote", "client", "way", "p50 ms", "p95 ms", "added p50 ms"], rows);
}
