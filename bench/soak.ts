import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { testToken } from "../test/support/fixture.ts";
import { processesWith } from "../test/support/processes.ts";
import { machineFacts } from "./machine.ts";
import { startAdapter } from "./soak/adapter.ts";
import type { Adapter } from "./soak/adapter.ts";
import { createLedger } from "./soak/ledger.ts";
import { KINDS } from "./soak/kinds.ts";
import { soak } from "./soak/load.ts";
import { sessionConfig, soakConfig } from "./soak/servers.ts";
import { judge } from "./soak/verdict.ts";

/**
 * Keeps the built adapter busy with requests that end in every way, and sees what is left of them.
 * Exits with 1 if a request was not answered as it must be, or anything was left or has grown.
 */

/** Fewer places than clients: there is room mostly, and at times there is none. What nobody uses ends soon. */
const COMMON = ["--max-processes", "12", "--session-idle", "1500"];

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    concurrency: { type: "string", default: "16" },
    seed: { type: "string" },
    heap: { type: "string", default: "96" },
    json: { type: "string" },
  },
});

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
const [minutes, concurrency, maxHeap] = [values.minutes, values.concurrency, values.heap].map(Number);
if (!(minutes && minutes > 0 && concurrency && concurrency >= 1 && maxHeap && Number.isInteger(seed))) {
  throw new Error("--minutes, --concurrency, --heap and --seed are numbers");
}

console.log(
  `${machineFacts()}\n--seed ${seed} --concurrency ${concurrency} --minutes ${minutes} --heap ${maxHeap}\n`,
);
const folder = await mkdtemp(join(tmpdir(), "mayfly-soak-"));
const token = testToken();
const adapters: Adapter[] = [];
try {
  adapters.push(await startStateless(), await startWithSessions());
  await main();
} finally {
  for (const adapter of adapters) {
    adapter.kill();
    adapter.door.agent.destroy();
  }
  endAll(token);
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function main(): Promise<void> {
  const [stateless, sessions] = adapters;
  if (!stateless || !sessions || !minutes || !concurrency) return;
  const ledger = createLedger(Object.keys(KINDS));
  const place = { folder, token, door: stateless.door, sessionDoor: sessions.door };
  const run = await soak({ ...place, adapters, ledger, seed, concurrency, forMs: minutes * 60_000 });
  const verdict = await judge(run, adapters, ledger, token);
  console.log(`\n${verdict.text}`);
  const summary = { seed, minutes, concurrency, maxHeap, faults: verdict.faults, ...verdict.figures };
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(summary, undefined, 2)}\n`);
  process.exitCode = verdict.faults.length > 0 ? 1 : 0;
}

function startStateless(): Promise<Adapter> {
  const args = ["--input-mode", "hold", "--max-message", String(24 * 1024 ** 2)];
  return startAdapter({
    name: "stateless",
    folder,
    config: soakConfig(token),
    args: [...COMMON, ...args],
    maxHeap: maxHeap ?? 0,
    hasHome: false,
  });
}

function startWithSessions(): Promise<Adapter> {
  const args = ["--sessions", "independent", "--shared-session", "false"];
  return startAdapter({
    name: "sessions",
    folder,
    config: sessionConfig(token),
    args: [...COMMON, ...args],
    maxHeap: maxHeap ?? 0,
    hasHome: true,
  });
}

/** Also what has left its process group on purpose. */
function endAll(token: string): void {
  for (const { pid } of processesWith(token)) process.kill(pid, "SIGKILL");
}
