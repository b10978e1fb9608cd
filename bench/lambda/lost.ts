import { processesWith } from "../../test/support/processes.ts";
import type { BenchServer } from "../servers.ts";
import { table } from "../statistics.ts";
import { callThrough, environmentFor } from "./calls.ts";
import type { DeployedFunction } from "./functions.ts";
import { lambdaServers } from "./servers.ts";

/** Bytes of a response payload that Lambda takes in one piece; a stream may have 200 MiB. Source: AWS Lambda quotas. */
const MAX_BUFFERED_BYTES = 6_291_556;
const CALLS = 10;
const STEPS = 10;

/** Of calls that say something while they run, that answer much, and that leave something behind. */
export async function measureLost(functions: readonly DeployedFunction[], folder: string): Promise<string> {
  const rows: string[][] = [];
  for (const target of functions) {
    const progress = await answersOf(target, folder, "progress");
    const big = await answersOf(target, folder, "big");
    const stubborn = await answersOf(target, folder, "spawns-grandchild");
    const messages = sum(progress.texts.map((text) => (text.match(/notifications\/progress/g) ?? []).length));
    const large = big.texts.filter((text) => arrives(text, target)).length;
    const left = progress.left + big.left + stubborn.left;
    rows.push([
      target.name,
      `${messages} of ${CALLS * STEPS}`,
      `${large} of ${CALLS}`,
      String(left),
      (sum(stubborn.billedMs) / CALLS).toFixed(0),
    ]);
  }
  const head = ["function", "progress", "answers of 8 MiB", "processes left", "stubborn server, billed ms"];
  return table(head, rows);
}

async function answersOf(target: DeployedFunction, folder: string, name: string) {
  const server = lambdaServers(folder).find((one) => one.name === name) as BenchServer;
  const environment = await environmentFor(target, server);
  const found = { texts: [] as string[], billedMs: [] as number[], left: 0 };
  try {
    for (let count = 0; count < CALLS; count++) {
      const { text, billedMs } = await callThrough(environment, server);
      found.texts.push(text);
      found.billedMs.push(billedMs);
      found.left += endLeft(folder);
    }
  } finally {
    await environment.stop();
  }
  return found;
}

/** Counts what is alive while the platform may freeze, and ends it, so that it is counted once. */
function endLeft(folder: string): number {
  const left = processesWith(folder);
  for (const { pid } of left) process.kill(pid, "SIGKILL");
  return left.length;
}

function arrives(text: string, { streams }: DeployedFunction): boolean {
  const isWhole = text.length > 8 * 1024 ** 2 && !text.includes('"error"');
  return isWhole && (streams || Buffer.byteLength(text) <= MAX_BUFFERED_BYTES);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
