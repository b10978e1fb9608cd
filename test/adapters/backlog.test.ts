import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { serve } from "../../lib/adapters/node.ts";
import { within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call } from "../support/rpc.ts";

const WAIT_MS = 15_000;

/** Connects and sends a request, says so, and posts all that comes back. */
const CLIENT = `
  const { parentPort, workerData } = require("node:worker_threads");
  const socket = require("node:net").connect(workerData.port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => (received += chunk));
  socket.on("error", (error) => (received += error.code));
  socket.on("close", () => parentPort.postMessage(received));
  socket.on("connect", () => socket.write(workerData.request, () => {
    Atomics.store(workerData.sent, 0, 1);
    Atomics.notify(workerData.sent, 0);
  }));
`;

test("a request that has come while the host was busy is answered, although it is told to stop before it looks", async (t) => {
  const { command, args, token } = fixture("counter");
  const server = await serve({ mcpServers: { only: { command, args } }, port: 0 });
  const body = JSON.stringify(call("count"));
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { port: new URL(server.url).port, request: `${head}\r\n\r\n${body}`, sent };
  const worker = new Worker(CLIENT, { eval: true, workerData });
  t.after(() => worker.terminate());
  const received = new Promise<string>((resolve) => worker.once("message", resolve));
  // The system accepts for us: this thread sees nothing of it until it has told the server to close.
  assert.notEqual(Atomics.wait(sent, 0, 0, WAIT_MS), "timed-out");
  const closed = server.close();
  assert.match(await within(received, WAIT_MS, "an answer"), /^HTTP\/1\.1 200 [^]*"text":"1"/);
  await within(closed, WAIT_MS, "the server closes");
  await waitUntilGone(token);
});
