import { setTimeout as delay } from "node:timers/promises";

import { processesWith } from "../../test/support/processes.ts";
import { jobOf } from "./job.ts";
import type { Load } from "./job.ts";
import { answerForgotten } from "./questions.ts";

/** Milliseconds after which everything has ended that may: the shared session of HTTP+SSE stays for longest. */
const QUIET_MS = 30_000;
const POLL_MS = 50;

/**
 * Waits until nothing is left of the load, and ends what lingers on purpose: processes that wait for users.
 * @returns what was left after all
 */
export async function quiet(load: Load, forgotten: string[]): Promise<string[]> {
  for (const state of forgotten.splice(0)) await answerForgotten(jobOf(load, 0, forgotten), state);
  load.door.agent.destroy();
  load.sessionDoor.agent.destroy();
  const end = performance.now() + QUIET_MS;
  let left = await leftOf(load);
  while (left.length > 0 && performance.now() < end) {
    await delay(POLL_MS);
    left = await leftOf(load);
  }
  return left;
}

async function leftOf({ token, adapters }: Load): Promise<string[]> {
  const files = await Promise.all(adapters.map((adapter) => adapter.temporaryFiles()));
  return [
    ...processesWith(token).map(({ pid, state, command }) => `process ${pid} (${state}): ${command}`),
    ...files.flat().map((file) => `in TMPDIR: ${file}`),
  ];
}
