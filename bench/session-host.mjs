// The built adapter in a process of its own, which tells what it takes. Started by bench/sessions.ts with --expose-gc.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { serve } from "../dist/adapters/node.js";

const HEARTBEAT_MS = 1000;
const COUNTER = fileURLToPath(new URL("../test/fixtures/servers/counter.mjs", import.meta.url));

const server = await serve({
  mcpServers: { counter: { command: process.execPath, args: [COUNTER] } },
  port: 0,
  transports: ["sse"],
  sharedSession: true,
  heartbeatMs: HEARTBEAT_MS,
});
process.on("message", () => process.send(taken()));
process.once("disconnect", () => server.close(0));
process.send({ url: server.url });

/** Bytes after a collection of garbage, and open files. */
function taken() {
  for (let round = 0; round < 3; round++) globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed, external, descriptors: readdirSync("/proc/self/fd").length };
}
