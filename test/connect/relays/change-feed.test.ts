import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { createLegacyBeforeModern } from "../../../lib/connect/relays/legacy-before-modern.ts";
import type { ModernRemote } from "../../../lib/connect/remote.ts";
import type { Message } from "../../../lib/jsonrpc.ts";
import { silentLogger } from "../../../lib/logger.ts";
import { until, within } from "../../support/deadline.ts";
import { createRelayClient, messageOf } from "../../support/relay-client.ts";
import type { RelayClient } from "../../support/relay-client.ts";
import { streamOf } from "../../support/remotes.ts";
import { initialize, notification, request } from "../../support/rpc.ts";
import type { Id, Params } from "../../support/rpc.ts";

const MARK = "io.modelcontextprotocol/subscriptionId";
const DECLARED = {
  tools: { listChanged: true },
  prompts: {},
  resources: { subscribe: true, listChanged: true },
};
const LISTS = { toolsListChanged: true, resourcesListChanged: true };
const UPDATED = "notifications/resources/updated";
const TOOLS = "notifications/tools/list_changed";

/** A `subscriptions/listen` that has come to the remote, and what the remote says to it. */
interface Listen {
  readonly wanted: Params;
  readonly signal: AbortSignal;
  agree(notifications?: Params): void;
  tell(method: string, params?: Params): void;
  refuse(code: number): void;
  complete(): void;
}

interface Opened {
  readonly client: RelayClient;
  readonly listens: readonly Listen[];
  /** The request with that number, once it is there. */
  readonly listen: (number: number) => Promise<Listen>;
  readonly close: () => Promise<void>;
}

async function open(t: TestContext, capabilities: Params = DECLARED): Promise<Opened> {
  const listens: Listen[] = [];
  const remote: ModernRemote = {
    era: "modern",
    discovered: JSON.stringify({ supportedVersions: ["2026-07-28"], capabilities }),
    request: ({ value }, signal) =>
      streamOf(signal, (put) => {
        listens.push(listenOf(value.id, value.params ?? {}, signal, put));
        return () => undefined;
      }),
    notify: async () => undefined,
    close: async () => undefined,
  };
  const client = createRelayClient();
  const relay = createLegacyBeforeModern({ remote, client, logger: silentLogger });
  client.use(relay);
  const close = () => within(relay.close(), 5000, "the relay closes");
  t.after(close);
  await client.ask(initialize({ id: "first" }));
  const listen = (number: number): Promise<Listen> =>
    until(() => listens[number], { withinMs: 5000, label: `subscription ${number}` });
  return { client, listens, listen, close };
}

function listenOf(id: Id, params: Params, signal: AbortSignal, put: (message: Message) => void): Listen {
  const say = (message: object): void => put(messageOf({ jsonrpc: "2.0", ...message }));
  const wanted = params["notifications"] as Params;
  const tell = (method: string, more: Params = {}): void =>
    say({ method, params: { ...more, _meta: { [MARK]: id } } });
  return {
    wanted,
    signal,
    tell,
    agree: (notifications = wanted) => tell("notifications/subscriptions/acknowledged", { notifications }),
    refuse: (code) => say({ id, error: { code, message: "no" } }),
    complete: () => say({ id, result: { resultType: "complete", _meta: { [MARK]: id } } }),
  };
}

const subscribe = (uri: string, id: Id) => request("resources/subscribe", { uri }, id);
const INITIALIZED = notification("notifications/initialized");

test("once the client is ready, the remote is asked for the lists that it declares", async (t) => {
  const { client, listen } = await open(t);
  await client.say(INITIALIZED);
  const one = await listen(0);
  assert.deepEqual(one.wanted, LISTS);
  one.agree();
  one.tell(TOOLS);
  one.tell("notifications/prompts/list_changed");
  one.tell("notifications/resources/list_changed", { extra: 1 });
  const { params } = await client.told("notifications/resources/list_changed");
  assert.deepEqual(params, { extra: 1 });
  assert.equal(client.notifications(TOOLS).length, 1);
  assert.equal(client.notifications("notifications/prompts/list_changed").length, 0);
});

test("what a remote agrees to that is no list, or that nobody has asked for, counts as nothing", async (t) => {
  for (const agreed of [5, { a: 1 }, "file:///a", ["file:///b", 5], null]) {
    const { client, listen } = await open(t, { resources: { subscribe: true } });
    const answered = client.ask(subscribe("file:///a", 1));
    (await listen(0)).agree({ resourceSubscriptions: agreed, promptsListChanged: true, toolsListChanged: 1 });
    const { error } = await within(answered, 1000, "the answer");
    assert.match(String((error as { readonly message?: unknown }).message), /does not tell when/);
    assert.equal(client.notifications(UPDATED).length, 0);
  }
});

test("a remote that declares no changes is not asked for any", async (t) => {
  const { client, listens, listen } = await open(t, { tools: {}, resources: { subscribe: true } });
  await client.say(INITIALIZED);
  await client.say(subscribe("file:///a", 1));
  assert.deepEqual((await listen(0)).wanted, { resourceSubscriptions: ["file:///a"] });
  assert.equal(listens.length, 1);
});

test("a subscription is answered when the remote has agreed, and takes the place of the one before without a gap", async (t) => {
  const { client, listen } = await open(t);
  await client.say(INITIALIZED);
  const one = await listen(0);
  one.agree();
  await client.say(subscribe("file:///a", 1));
  const two = await listen(1);
  assert.deepEqual(two.wanted, { ...LISTS, resourceSubscriptions: ["file:///a"] });
  assert.equal(client.written.length, 1);
  one.tell(TOOLS);
  await client.told(TOOLS);
  two.agree();
  assert.deepEqual((await client.answerTo(1)).result, {});
  assert.equal(one.signal.aborted, false);
  two.tell(TOOLS);
  two.tell(TOOLS);
  one.tell(TOOLS);
  two.tell(UPDATED, { uri: "file:///a" });
  await client.told(UPDATED);
  assert.equal(client.notifications(TOOLS).length, 2);
  await client.say(subscribe("file:///b", 2));
  const three = await listen(2);
  three.agree();
  await client.answerTo(2);
  assert.deepEqual([one.signal.aborted, two.signal.aborted], [true, false]);
});

test("resources that the client asks for at once are asked for at once", async (t) => {
  const { client, listen } = await open(t, {});
  await client.say(subscribe("file:///a", 1));
  const one = await listen(0);
  for (const [index, name] of ["b", "c", "d"].entries())
    await client.say(subscribe(`file:///${name}`, index + 2));
  one.agree();
  await client.answerTo(1);
  const two = await listen(1);
  assert.equal((two.wanted["resourceSubscriptions"] as unknown[]).length, 4);
  two.agree({ resourceSubscriptions: ["file:///a", "file:///b", "file:///d"] });
  assert.deepEqual((await client.answerTo(2)).result, {});
  assert.match((await client.answerTo(3)).error?.message ?? "", /does not tell when this resource changes/);
  assert.deepEqual((await client.answerTo(4)).result, {});
  assert.deepEqual((await client.ask(subscribe("file:///a", 5))).result, {});
});

test("what the client has unsubscribed from is not told any more, and nothing is open for nothing", async (t) => {
  const { client, listen } = await open(t, {});
  await client.say(subscribe("file:///a", 1));
  const one = await listen(0);
  one.agree();
  await client.answerTo(1);
  assert.deepEqual((await client.ask(request("resources/unsubscribe", { uri: "file:///a" }, 2))).result, {});
  one.tell(UPDATED, { uri: "file:///a" });
  await until(() => one.signal.aborted, { withinMs: 5000, label: "the end of the subscription" });
  assert.equal(client.notifications(UPDATED).length, 0);
});

test("a part of a resource is told to who watches the whole", async (t) => {
  const { client, listen } = await open(t, {});
  await client.say(subscribe("file:///folder", 1));
  const one = await listen(0);
  one.agree();
  await client.answerTo(1);
  one.tell(UPDATED, { uri: "file:///folders" });
  one.tell(UPDATED, { uri: "file:///folder/a" });
  assert.deepEqual((await client.told(UPDATED)).params, { uri: "file:///folder/a" });
});

test("a remote without subscriptions is the reason why a client cannot subscribe", async (t) => {
  const { client, listen } = await open(t);
  await client.say(INITIALIZED);
  (await listen(0)).refuse(-32601);
  await client.say(subscribe("file:///a", 1));
  (await listen(1)).refuse(-32601);
  assert.equal((await client.answerTo(1)).error?.code, -32601);
});

test("a refused change leaves the subscription before as it is", async (t) => {
  const { client, listen } = await open(t);
  await client.say(INITIALIZED);
  const one = await listen(0);
  one.agree();
  await client.say(subscribe("file:///a", 1));
  (await listen(1)).refuse(-32020);
  assert.equal((await client.answerTo(1)).error?.code, -32603);
  one.tell(TOOLS);
  await client.told(TOOLS);
});

test("a subscription that breaks comes back, and the client hears of all that it may have missed", async (t) => {
  const { client, listen } = await open(t);
  await client.say(INITIALIZED);
  (await listen(0)).agree();
  await client.say(subscribe("file:///a", 1));
  const two = await listen(1);
  two.agree();
  await client.answerTo(1);
  const from = client.written.length;
  const brokenAt = performance.now();
  two.complete();
  const three = await listen(2);
  assert.ok(performance.now() - brokenAt > 120);
  three.agree();
  assert.deepEqual((await client.told(UPDATED, from)).params, { uri: "file:///a" });
  assert.equal(client.notifications(TOOLS).length, 1);
  assert.equal(client.notifications("notifications/resources/list_changed").length, 1);
});

test("a remote that promises nothing is not asked again, but for something else", async (t) => {
  const { client, listens, listen } = await open(t);
  await client.say(INITIALIZED);
  const one = await listen(0);
  one.agree({});
  one.complete();
  await client.say(subscribe("file:///a", 1));
  const two = await listen(1);
  two.agree({ resourceSubscriptions: ["file:///a"] });
  assert.deepEqual((await client.answerTo(1)).result, {});
  assert.equal(client.notifications(TOOLS).length, 0);
  assert.equal(listens.length, 2);
});

test("a client that cancels its subscription before it is there gets no answer", async (t) => {
  const { client, listen } = await open(t, {});
  await client.say(subscribe("file:///a", 1));
  const one = await listen(0);
  await client.say(notification("notifications/cancelled", { requestId: 1 }));
  one.agree();
  await until(() => one.signal.aborted, { withinMs: 5000, label: "the end of the subscription" });
  assert.equal(client.written.length, 1);
});

test("requests without a uri, and with too long a one, are refused", async (t) => {
  const { client, listens } = await open(t, {});
  assert.equal((await client.ask(request("resources/subscribe", {}, 1))).error?.code, -32602);
  assert.equal((await client.ask(subscribe(`file:///${"a".repeat(9000)}`, 2))).error?.code, -32602);
  assert.equal((await client.ask(request("resources/unsubscribe", {}, 3))).error?.code, -32602);
  assert.equal(listens.length, 0);
});

test("when the relay closes, nothing is left open, and who waits gets no answer", async (t) => {
  const { client, listen, close } = await open(t);
  await client.say(INITIALIZED);
  const one = await listen(0);
  one.agree();
  await client.say(subscribe("file:///a", 1));
  const two = await listen(1);
  await close();
  assert.deepEqual([one.signal.aborted, two.signal.aborted], [true, true]);
  assert.equal(client.written.length, 1);
});
