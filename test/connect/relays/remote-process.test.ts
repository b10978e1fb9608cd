import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { createLegacyBeforeModern } from "../../../lib/connect/relays/legacy-before-modern.ts";
import type { StdioClient } from "../../../lib/connect/relay.ts";
import type { ModernRemote } from "../../../lib/connect/remote.ts";
import { MayflyError } from "../../../lib/errors.ts";
import type { Message, RequestValue } from "../../../lib/jsonrpc.ts";
import { silentLogger } from "../../../lib/logger.ts";
import { deferred } from "../../../lib/promises.ts";
import { until, within } from "../../support/deadline.ts";
import { createRelayClient, messageOf } from "../../support/relay-client.ts";
import type { RelayClient } from "../../support/relay-client.ts";
import { call, initialize, notification } from "../../support/rpc.ts";

/** What a remote without a handshake may do to a request. */
type Serve = (request: Message<RequestValue>, signal: AbortSignal) => AsyncGenerator<Message, void, void>;

async function open(t: TestContext, serve: Serve, slow?: StdioClient): Promise<RelayClient> {
  const remote: ModernRemote = {
    era: "modern",
    discovered: '{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}',
    request: serve,
    notify: async () => undefined,
    close: async () => undefined,
  };
  const client = createRelayClient();
  const relay = createLegacyBeforeModern({ remote, client: slow ?? client, logger: silentLogger });
  client.use(relay);
  t.after(() => within(relay.close(), 5000, "the relay closes"));
  if (!slow) await client.ask(initialize({ id: "first", capabilities: { roots: {} } }));
  return client;
}

const progress = (number: number): Message =>
  messageOf({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: 1, progress: number },
  });

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

test("a remote that fails is an error with its reason, under the id of the request", async (t) => {
  const client = await open(t, async function* fail() {
    yield progress(1);
    throw new MayflyError("REMOTE_UNREACHABLE", { values: { detail: "connection refused" } });
  });
  const { error } = await client.ask(call("any", {}, { id: "x" }));
  assert.equal(
    error?.message,
    "The remote server cannot be reached (connection refused): nothing was sent to it",
  );
  assert.deepEqual(error?.data, { reason: "unreachable" });
});

test("a remote that says no more before it has answered is lost", async (t) => {
  const client = await open(t, async function* stop() {
    yield progress(1);
  });
  assert.deepEqual((await client.ask(call("any"))).error?.data, { reason: "lost" });
});

test("a fault of our own is told without its words", async (t) => {
  const client = await open(t, async function* fault() {
    yield progress(1);
    throw new Error("a secret");
  });
  assert.equal((await client.ask(call("any"))).error?.message, "An error inside Mayfly: see its log");
});

test("a remote that sends a request breaks its revision", async (t) => {
  const client = await open(t, async function* asks(_request, signal) {
    yield messageOf({ jsonrpc: "2.0", id: 1, method: "roots/list" });
    await aborted(signal);
  });
  assert.match((await client.ask(call("any"))).error?.message ?? "", /which its protocol revision forbids/);
});

test("a remote is let go of when it has answered, and when the client has cancelled", async (t) => {
  const running = new Set<unknown>();
  const client = await open(t, async function* answers({ value }) {
    running.add(value.id);
    try {
      yield progress(1);
      yield messageOf({ jsonrpc: "2.0", id: value.id, result: {} });
      yield progress(2);
    } finally {
      running.delete(value.id);
    }
  });
  await client.ask(call("any", {}, { id: 1 }));
  assert.equal(running.size, 0);
  await client.say(call("any", {}, { id: 2 }));
  await client.say(notification("notifications/cancelled", { requestId: 2 }));
  await until(() => running.size === 0, { withinMs: 5000, label: "the end of the request" });
  assert.equal(
    client.written.some(({ value }) => "id" in value && value.id === 2),
    false,
  );
});

test("a client that does not read holds up what it has asked for, and not the end of it", async (t) => {
  let said = 0;
  const hanging: StdioClient = { write: () => deferred().promise };
  const client = await open(
    t,
    async function* talks(_request, signal) {
      while (!signal.aborted) yield progress((said += 1));
    },
    hanging,
  );
  await client.say(call("any"));
  await new Promise(setImmediate);
  assert.ok(said > 0 && said < 4, `it has said ${said}`);
});

test("a remote that asks without end is given up", async (t) => {
  let rounds = 0;
  const client = await open(t, async function* asks({ value }) {
    rounds += 1;
    const inputRequests = { roots: { method: "roots/list" } };
    yield messageOf({
      jsonrpc: "2.0",
      id: value.id,
      result: { resultType: "input_required", inputRequests },
    });
  });
  await client.say(call("any", {}, { id: 7 }));
  for (let [round, from] = [0, 0]; round < 100; round += 1) {
    const { id } = await client.asked("roots/list", from);
    from = client.written.length;
    await client.say({ jsonrpc: "2.0", id, result: { roots: [] } });
  }
  assert.match((await client.answerTo(7)).error?.message ?? "", /needs client input/);
  assert.equal(rounds, 101);
});
