import { setTimeout as delay } from "node:timers/promises";

// Loaded into the adapter with --import: tells its parent what memory is left when nothing unused is.
process.on("message", async (ask) => {
  // What is finalized holds others until then.
  for (let rounds = ask?.collect ? 3 : 0; rounds > 0; rounds -= 1) {
    globalThis.gc?.();
    await delay(10);
  }
  process.send?.(process.memoryUsage());
});

// The channel must not keep the adapter alive.
process.channel?.unref();
// A soak that is broken off takes the adapter along, and that its servers.
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
