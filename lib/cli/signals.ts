import { constants } from "node:os";

import type { RunningServer } from "../adapters/node.ts";

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * The first signal finishes what is running and exits with 0; the second one ends everything at once.
 * @param say tells people that it was heard
 */
export function stopOnSignals(
  server: Pick<RunningServer, "close" | "kill">,
  say: (line: string) => void = console.log,
): void {
  // Also after a crash of ours: a dying host takes its process groups along.
  process.once("exit", () => server.kill());
  let stopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) process.exit(128 + constants.signals[signal]);
      stopping = true;
      say("Finishing what runs; the same signal again ends it at once.");
      void server.close().then(() => process.exit(0));
    });
  }
}
