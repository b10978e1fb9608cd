import type { Environment } from "../../test/lambda/environment.ts";
import type { BenchServer } from "../servers.ts";
import { alternated, median, quantile, table } from "../statistics.ts";
import { callThrough, environmentFor } from "./calls.ts";
import type { Called } from "./calls.ts";
import type { DeployedFunction } from "./functions.ts";

interface Series {
  readonly target: DeployedFunction;
  readonly server: BenchServer;
  readonly environment: Environment;
  readonly calls: Called[];
}

const WARM_UP_ROUNDS = 2;
const MEASURED = new Set(["server-everything", "server-filesystem"]);

export async function measureTimes(
  functions: readonly DeployedFunction[],
  servers: readonly BenchServer[],
  rounds: number,
): Promise<string> {
  const series: Series[] = [];
  try {
    for (const server of servers.filter(({ name }) => MEASURED.has(name))) {
      for (const target of functions) {
        series.push({ target, server, environment: await environmentFor(target, server), calls: [] });
      }
    }
    for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
      for (const item of alternated(series, round + WARM_UP_ROUNDS)) await once(item, round >= 0);
    }
    return timesTable(series);
  } finally {
    for (const { environment } of series) await environment.stop();
  }
}

async function once({ environment, server, calls }: Series, counts: boolean): Promise<void> {
  const called = await callThrough(environment, server);
  if (!/"content\\?":/.test(called.text)) throw new Error(`${server.name}: ${called.text.slice(0, 500)}`);
  if (counts) calls.push(called);
}

function timesTable(series: readonly Series[]): string {
  const rows = series.map(({ target, server, calls }) => {
    const answers = calls.map(({ answerMs }) => answerMs);
    const own = series.find((other) => other.server === server)?.calls.map(({ answerMs }) => answerMs) ?? [];
    return [
      server.name,
      target.name,
      median(answers).toFixed(0),
      quantile(answers, 0.95).toFixed(0),
      median(calls.map(({ billedMs }) => billedMs)).toFixed(0),
      (calls.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / calls.length).toFixed(0),
      (median(answers) / median(own)).toFixed(2),
    ];
  });
  return table(["server", "function", "p50 ms", "p95 ms", "billed p50 ms", "CPU ms", "times ours"], rows);
}
