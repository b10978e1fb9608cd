import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { connect as tlsConnect } from "node:tls";

import { serve } from "../../lib/adapters/node.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import { until, within } from "../support/deadline.ts";
import { readEvents } from "../support/event-stream.ts";
import { bigText, fixture } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";
import { PEM } from "../support/tls.ts";

const WAIT_MS = 30_000;
const MIB = 1024 ** 2;
/** More than the buffers of both ends of a connection hold. */
const LARGE = 40 * MIB;
const CUT = /A client that does not read its answer was cut off/;

interface Setup {
  readonly url: string;
  readonly token: string;
  readonly log: () => string[];
}

async function setUp(t: TestContext, name: string, options: Partial<ServeOptions> = {}): Promise<Setup> {
  const { command, args, token } = fixture(name);
  const lines: string[] = [];
  const line = (fields: object, message: string): void =>
    void lines.push(`${JSON.stringify(fields)} ${message}`);
  const logger = { debug: line, info: line, warn: line, error: line };
  const server = await serve({ mcpServers: { [name]: { command, args } }, port: 0, logger, ...options });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return { url: server.url, token, log: () => lines };
}

/** A client that has sent a call, and reads nothing until it is resumed. */
async function unreading(t: TestContext, url: string, body: object, accept: string): Promise<Socket> {
  const { hostname, port, protocol } = new URL(url);
  const to = { host: hostname, port: Number(port) };
  const socket = protocol === "https:" ? tlsConnect({ ...to, ca: PEM.root }) : connect(to);
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  await within(once(socket, protocol === "https:" ? "secureConnect" : "connect"), WAIT_MS, "a connection");
  socket.pause();
  const text = JSON.stringify(body);
  const headers = `Host: localhost\r\nContent-Type: application/json\r\nAccept: ${accept}`;
  socket.write(
    `POST /mcp HTTP/1.1\r\n${headers}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  return socket;
}

/** Reads what there is. @returns how many bytes, when the connection is over */
async function drained(socket: Socket): Promise<number> {
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
  socket.resume();
  // Not once(): a reset is an error as well, and an end like any other.
  await until(() => socket.closed, { withinMs: WAIT_MS, label: "the connection is over" });
  return bytes;
}

function cuts(log: () => string[]): string[] {
  return log().filter((line) => CUT.test(line));
}

async function untilCut(log: () => string[]): Promise<string> {
  const label = (): string => `a client is cut: ${log().join("\n")}`;
  return until(() => cuts(log)[0], { withinMs: WAIT_MS, label });
}

describe("a client that takes nothing of its answer", () => {
  for (const [what, tls] of [
    ["HTTP", undefined],
    ["HTTPS", { cert: PEM.leaf + PEM.intermediate, key: PEM.key }],
  ] as const) {
    test(`is cut off over ${what}, when its process has long ended`, async (t) => {
      const { url, token, log } = await setUp(t, "big", { stallTimeoutMs: 2000, ...(tls && { tls }) });
      const socket = await unreading(t, url, call("big", { bytes: LARGE }), "application/json");
      const line = await untilCut(log);
      assert.match(line, /"reason":"it took nothing"/);
      assert.ok(Number(/"unsentBytes":(\d+)/.exec(line)?.[1]) > MIB, line);
      await waitUntilGone(token, { withinMs: 0 });
      assert.ok((await drained(socket)) < LARGE);
    });
  }

  test("is cut off in an event stream, and its process ends at once", async (t) => {
    const { url, token, log } = await setUp(t, "flood", { stallTimeoutMs: 1000 });
    const socket = await unreading(t, url, call("any", { count: 10_000_000 }), "text/event-stream");
    await until(() => processesWith(token).length === 1, { withinMs: WAIT_MS, label: "a process" });
    await untilCut(log);
    await waitUntilGone(token);
    await drained(socket);
  });
});

describe("nobody is cut off", () => {
  test("who reads slowly, but reads", async (t) => {
    const { url, log } = await setUp(t, "big", { stallTimeoutMs: 1500 });
    const socket = await unreading(t, url, call("big", { bytes: LARGE }), "application/json");
    const startedAt = performance.now();
    let bytes = 0;
    // A megabyte now and then: it takes longer than the stall timeout by far.
    socket.on("data", (chunk: Buffer) => {
      const isEnough = Math.floor(bytes / MIB) < Math.floor((bytes + chunk.length) / MIB);
      bytes += chunk.length;
      if (isEnough) socket.pause();
    });
    const sip = setInterval(() => socket.resume(), 100);
    t.after(() => clearInterval(sip));
    await until(() => bytes > LARGE, { withinMs: 4 * WAIT_MS, label: () => `${bytes} bytes` });
    assert.ok(performance.now() - startedAt > 3000, "the client was no slow one");
    assert.deepEqual(cuts(log), []);
  });

  test("who listens to a stream on which there is nothing but comments", async (t) => {
    const { url, log } = await setUp(t, "counter", { stallTimeoutMs: 100, heartbeatMs: 50 });
    const events = readEvents(await fetch(`${url}/sse`));
    let comments = 0;
    while (comments < 20) {
      const { value } = await within(events.next(), WAIT_MS, "a comment");
      if (value?.comment !== undefined) comments += 1;
    }
    await events.return(undefined);
    assert.deepEqual(cuts(log), []);
  });

  test("who waits long for an answer", async (t) => {
    const { url, log } = await setUp(t, "progress", { stallTimeoutMs: 100, streamAfterMs: 60_000 });
    const asked = fetch(
      `${url}/mcp`,
      post(call("progress", { steps: 20, delayMs: 50 }), { accept: "application/json" }),
    );
    const response = await within(asked, WAIT_MS, "an answer");
    assert.match(await response.text(), /20 steps done/);
    assert.deepEqual(cuts(log), []);
  });
});

test("when too much waits for all, those who read nothing go, and those who read get all", async (t) => {
  const maxUnsentBytes = 3 * LARGE;
  const { url, log } = await setUp(t, "big", { maxUnsentBytes, maxProcesses: 4 });
  const lazy: Socket[] = [];
  for (let count = 0; count < 4; count++) {
    lazy.push(await unreading(t, url, call("big", { bytes: LARGE }), "application/json"));
  }
  assert.match(await untilCut(log), /"reason":"too much waits"/);
  const response = await fetch(
    `${url}/mcp`,
    post(call("big", { bytes: LARGE }), { accept: "application/json" }),
  );
  assert.ok((await within(response.text(), WAIT_MS, "the whole answer")).includes(bigText(LARGE)));
  assert.ok(cuts(log).length < lazy.length, "no more than had to go");
});
