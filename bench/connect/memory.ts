import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { connectProgram } from "../../test/connect/rig/programs.ts";
import { startStdio } from "../../test/connect/rig/stdio-client.ts";
import type { StdioClient } from "../../test/connect/rig/stdio-client.ts";
import { within } from "../../test/support/deadline.ts";
import type { Scope } from "../../test/support/files.ts";
import { call } from "../../test/support/rpc.ts";
import { table } from "../statistics.ts";
import type { BenchRemote } from "./remotes.ts";

/** What one `mayfly connect` holds after so many calls, when nothing unused is left. Bytes. */
interface Sample {
  readonly calls: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

const PROBE = fileURLToPath(new URL("../soak/memory-probe.mjs", import.meta.url));
const WAIT_MS = 30_000;
/** Calls at the same time. */
const AT_ONCE = 10;
/** What is compiled and kept for the next time must not count. */
const WARM_UP_CALLS = 1000;
const EVERY_CALLS = 500;
const KIBI = 1024;
/** More bytes a call than this are a leak: a kept id, an entry in a map. */
const MAX_HEAP_SLOPE = 16;

/** Makes so many calls through one process. @throws Error if its heap grows with them */
export async function measureMemory(scope: Scope, remote: BenchRemote, calls: number): Promise<string> {
  const { command, args } = connectProgram(remote.url);
  const program = { command, args: ["--expose-gc", "--import", PROBE, ...args] };
  const client = startStdio(scope, program, { ipc: true });
  await client.handshake();
  await makeCalls(client, remote, WARM_UP_CALLS);
  const samples = [await sampled(client, 0)];
  for (let made = EVERY_CALLS; made <= calls; made += EVERY_CALLS) {
    await makeCalls(client, remote, EVERY_CALLS);
    samples.push(await sampled(client, made));
  }
  // What is compiled late and cached shows in the first half only; a leak goes on.
  const half = samples.slice(samples.length / 2);
  const growth = slope(half.map((sample) => [sample.calls, sample.heapUsed]));
  const rss = slope(half.map((sample) => [sample.calls, sample.rss]));
  const line = `In the second half: ${growth.toFixed(1)} bytes of heap a call, and ${rss.toFixed(1)} bytes of RSS.`;
  const lines = [memoryTable(samples), "", line];
  if (growth > MAX_HEAP_SLOPE) throw new Error(`${lines.join("\n")}\nThat is too much.`);
  return lines.join("\n");
}

async function makeCalls(client: StdioClient, { tool, arguments: args }: BenchRemote, count: number) {
  for (let left = count; left > 0; left -= AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, left) }, (_, index) =>
      client.ask(call(tool, args, { id: index + 1 })),
    );
    await Promise.all(some);
  }
}

async function sampled({ process: child }: StdioClient, calls: number): Promise<Sample> {
  const answer = once(child, "message") as Promise<[Omit<Sample, "calls">]>;
  child.send({ collect: true });
  const [{ rss, heapUsed, external }] = await within(answer, WAIT_MS, "the measurement");
  return { calls, rss, heapUsed, external };
}

/** Of the line that is nearest to all points. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const along = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return along / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

function memoryTable(samples: readonly Sample[]): string {
  const chosen = samples.filter((_, index) => index % 4 === 0 || index === samples.length - 1);
  const kibi = (bytes: number): string => (bytes / KIBI).toFixed(0);
  const rows = chosen.map(({ calls, rss, heapUsed, external }) => [
    String(calls),
    kibi(rss),
    kibi(heapUsed),
    kibi(external),
  ]);
  return table(["calls", "RSS KiB", "heap KiB", "external KiB"], rows);
}
