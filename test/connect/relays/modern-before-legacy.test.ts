import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { createModernBeforeLegacy, initializeFor } from "../../../lib/connect/relays/modern-before-legacy.ts";
import { envelopeOf } from "../../../lib/eras/envelope.ts";
import type { Envelope } from "../../../lib/eras/envelope.ts";
import { silentLogger } from "../../../lib/logger.ts";
import type { Relay } from "../../../lib/connect/relay.ts";
import { deferred } from "../../../lib/promises.ts";
import { until, within } from "../../support/deadline.ts";
import { fixture } from "../../support/fixture.ts";
import { textOf } from "../../support/modern.ts";
import { createRelayClient, messageOf } from "../../support/relay-client.ts";
import type { RelayClient } from "../../support/relay-client.ts";
import { legacyRemoteOf } from "../../support/remotes.ts";
import type { Sent } from "../../support/remotes.ts";
import { notification, request } from "../../support/rpc.ts";
import type { Id, Params } from "../../support/rpc.ts";
import { sdkServer } from "../../support/stdio-program.ts";
import type { ProgramParameters } from "../../support/stdio-program.ts";

const PREFIX = "io.modelcontextprotocol/";
const CAPABILITIES = { elicitation: { form: {} }, sampling: {}, roots: {} };
const NAME = { action: "accept", content: { name: "Ada" } };
const AGE = { action: "accept", content: { age: 36 } };

function modern(method: string, params: Params = {}, id: Id = 1, meta: Params = {}) {
  const envelope = {
    [`${PREFIX}protocolVersion`]: "2026-07-28",
    [`${PREFIX}clientInfo`]: { name: "test-client", version: "1.0.0" },
    [`${PREFIX}clientCapabilities`]: CAPABILITIES,
    ...meta,
  };
  return request(method, { ...params, _meta: envelope }, id);
}

function call(name: string, args: Params = {}, id: Id = 1, more: Params = {}, meta: Params = {}) {
  return modern("tools/call", { name, arguments: args, ...more }, id, meta);
}

interface Opened extends Sent {
  readonly client: RelayClient;
  readonly relay: Relay;
  readonly close: () => Promise<void>;
}

async function open(t: TestContext, parameters: ProgramParameters, hasStreams = true): Promise<Opened> {
  const { promise, resolve } = deferred<Relay>();
  const initialize = initializeFor(envelopeOf(modern("ping")) as Envelope);
  const remote = await legacyRemoteOf(t, parameters, {
    initialize,
    hasStreams,
    hear: async (message, about) => (await promise).hear?.(message, about),
  });
  const client = createRelayClient();
  const relay = createModernBeforeLegacy({ remote, client, logger: silentLogger });
  resolve(relay);
  client.use(relay);
  const close = () => within(relay.close(), 5000, "the relay closes");
  t.after(close);
  return { client, relay, close, sent: remote.sent };
}

const sentOf = (sent: Sent["sent"], method: string): Params[] =>
  sent.map(({ value }) => value as unknown as Params).filter((value) => value["method"] === method);

test("the handshake is made in the name of the client", () => {
  const { value } = initializeFor(envelopeOf(modern("tools/list")) as Envelope);
  assert.deepEqual(value.params, {
    protocolVersion: "2025-11-25",
    clientInfo: { name: "test-client", version: "1.0.0" },
    capabilities: CAPABILITIES,
  });
});

test("discovery is answered from the handshake, with the changes that are told here", async (t) => {
  const { client, sent } = await open(t, fixture("legacy-watches"));
  const { result } = await client.ask(modern("server/discover", {}, 0));
  assert.deepEqual(result?.["supportedVersions"], ["2026-07-28"]);
  assert.deepEqual(result?.["capabilities"], {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
  });
  assert.equal(result?.["resultType"], "complete");
  assert.deepEqual(
    sent.map(({ text }) => text),
    ['{"jsonrpc":"2.0","method":"notifications/initialized"}'],
  );
});

test("requests lose the envelope and results gain what they must have, and nothing else changes", async (t) => {
  const { client, sent } = await open(t, fixture("verbatim"));
  const meta = `"${PREFIX}protocolVersion":"2026-07-28","${PREFIX}clientCapabilities":{}`;
  const line = '{"jsonrpc":"2.0", "id":"@id","result":{"content":[] , "big":12345678901234567890,"é":1.0}}';
  const params = `"name":"x", "odd" : [1.0],"arguments":{"line":${JSON.stringify(line)}}`;
  const head = '{"jsonrpc":"2.0","id":9007199254740992,"method":"tools/call","params":{';
  await client.say(`${head}${params},"_meta":{${meta},"mine":12345678901234567890}}}`);
  assert.equal(
    await client.textFor(9007199254740992),
    '{"jsonrpc":"2.0", "id":9007199254740992,"result":{"content":[] , "big":12345678901234567890,"é":1.0,' +
      `"resultType":"complete","_meta":{"${PREFIX}serverInfo":{"name":"verbatim","version":"1.0.0"}}}}`,
  );
  assert.equal(sent.at(-1)?.text, `${head}${params},"_meta":{"mine":12345678901234567890}}}`);
});

test("several requests share the session, each with its own answer and its own progress", async (t) => {
  const { client } = await open(t, fixture("talks-on-demand"), false);
  await client.say(call("progress", { steps: 2, key: "a" }, 0, {}, { progressToken: "one" }));
  await client.say(call("progress", { steps: 3, key: "b" }, "0", {}, { progressToken: 1 }));
  await client.say(call("hold", { key: "c" }, 7));
  await until(() => client.notifications("notifications/progress").length === 5, {
    withinMs: 5000,
    label: "progress",
  });
  for (const key of ["c", "a", "b"]) await client.ask(call("release", { key }, `release-${key}`));
  assert.equal(textOf(await client.answerTo(0)), "2 steps");
  assert.equal(textOf(await client.answerTo("0")), "3 steps");
  assert.equal(textOf(await client.answerTo(7)), "held c");
});

test("log messages are heard only while a request asks for them, at its level or above", async (t) => {
  const { client, sent } = await open(t, fixture("talks-on-demand"), false);
  const message = (level: string) => ({ method: "notifications/message", params: { level, data: level } });
  const notifications = [message("debug"), message("warning"), message("error")];
  await client.ask(call("tell", { notifications }, 1));
  assert.deepEqual(client.notifications("notifications/message"), []);
  await client.ask(call("tell", { notifications }, 2, {}, { [`${PREFIX}logLevel`]: "warning" }));
  assert.deepEqual(
    client.notifications("notifications/message").map(({ params }) => params?.["level"]),
    ["warning", "error"],
  );
  await client.ask(call("tell", { notifications: [] }, 3, {}, { [`${PREFIX}logLevel`]: "warning" }));
  await client.ask(call("tell", { notifications: [] }, 4, {}, { [`${PREFIX}logLevel`]: "info" }));
  const levels = sentOf(sent, "logging/setLevel").map(({ params }) => (params as Params)["level"]);
  assert.deepEqual(levels, ["warning", "info"]);
});

for (const hasStreams of [true, false]) {
  const where = hasStreams ? "on the stream of its request" : "on a stream of its own";
  test(`a question ${where} is the answer to the request, and the retry brings the answer`, async (t) => {
    const { client, sent } = await open(t, fixture("legacy-asks"), hasStreams);
    const { result } = await client.ask(call("ask-two", {}, 1, {}, { progressToken: 1 }));
    assert.equal(result?.["resultType"], "input_required");
    const first = { inputResponses: { q0: NAME }, requestState: result["requestState"] };
    const again = await client.ask(call("ask-two", {}, 2, first));
    assert.equal(again.result?.["resultType"], "input_required");
    const second = { inputResponses: { q0: AGE }, requestState: again.result["requestState"] };
    const { answers } = JSON.parse(textOf(await client.ask(call("ask-two", {}, 3, second)))) as Params;
    assert.deepEqual(answers, [NAME, AGE]);
    assert.equal(sentOf(sent, "tools/call").length, 1);
    const used = await client.ask(call("ask-two", {}, 4, second));
    assert.match(used.error?.message ?? "", /continuation expired/);
  });
}

test("a retry that comes before the question is all written finds its request", async (t) => {
  const { client, relay } = await open(t, fixture("legacy-asks"));
  const { write } = client;
  const again: Promise<void>[] = [];
  client.write = (text) => {
    const { id, result } = JSON.parse(text) as { id: Id; result?: Params };
    const retry = { inputResponses: { q0: NAME }, requestState: result?.["requestState"] };
    if (id === 1) again.push(relay.receive(messageOf(call("ask-one", {}, 2, retry))));
    return write(text);
  };
  await client.say(call("ask-one", {}, 1));
  assert.match(textOf(await client.answerTo(2)), /"name":"Ada"/);
  await Promise.all(again);
});

test("questions that come together are asked together", async (t) => {
  const { client } = await open(t, fixture("legacy-asks"));
  const { result } = await client.ask(call("ask-parallel"));
  assert.deepEqual(Object.keys(result?.["inputRequests"] as object), ["q0", "q1"]);
  const retry = { inputResponses: { q0: NAME, q1: AGE }, requestState: result?.["requestState"] };
  assert.match(textOf(await client.ask(call("ask-parallel", {}, 2, retry))), /"age":36/);
});

test("a question that the client cannot answer is refused, and a call that fails for it says what is missing", async (t) => {
  const { client } = await open(t, fixture("asks-on-demand"));
  const meta = { [`${PREFIX}clientCapabilities`]: {} };
  const { result } = await client.ask(call("ask", { method: "roots/list" }, 1, {}, meta));
  assert.match(JSON.stringify(result), /The client has not declared roots/);
});

test("a server that wants a page visited first says so as a question", async (t) => {
  const { client } = await open(t, fixture("legacy-asks"));
  const refused = await client.ask(call("url-required", {}, 1));
  assert.equal(refused.error?.code, -32021);
  const meta = { [`${PREFIX}clientCapabilities`]: { elicitation: { url: {} } } };
  const { result } = await client.ask(call("url-required", {}, 2, {}, meta));
  assert.equal(result?.["resultType"], "input_required");
});

test("a ping of the server is answered here", async (t) => {
  const { client } = await open(t, fixture("asks-on-demand"), false);
  assert.equal(
    textOf(await client.ask(call("ask", { method: "ping" }))),
    '{"jsonrpc":"2.0","id":1,"result":{}}',
  );
});

test("a cancelled request is cancelled at the remote, and has no answer", async (t) => {
  const { client, sent } = await open(t, fixture("talks-on-demand"));
  await client.say(call("hold", { key: "x" }, 5));
  await until(() => sentOf(sent, "tools/call").length === 1, { withinMs: 5000, label: "the call is sent" });
  await client.say(notification("notifications/cancelled", { requestId: 5 }));
  await client.ask(call("release", { key: "x" }, 6));
  assert.equal(
    client.written.some(({ value }) => "id" in value && value.id === 5),
    false,
  );
  assert.deepEqual(
    sentOf(sent, "notifications/cancelled").map(({ params }) => (params as Params)["requestId"]),
    [5],
  );
});

test("what this revision does not have is refused, and so is a request without an envelope", async (t) => {
  const { client, sent } = await open(t, fixture("echo"));
  for (const method of ["ping", "logging/setLevel", "resources/subscribe", "tasks/get", "initialize"]) {
    assert.equal((await client.ask(modern(method, {}, method))).error?.code, -32601, method);
  }
  assert.equal((await client.ask(request("tools/list", {}, "bare"))).error?.code, -32602);
  const other = { [`${PREFIX}protocolVersion`]: "2027-01-01" };
  assert.equal((await client.ask(modern("tools/list", {}, "new", other))).error?.code, -32022);
  assert.equal(sent.length, 1);
});

test("a subscription hears of what it asked for, under its mark, until it is cancelled", async (t) => {
  const { client, sent } = await open(t, fixture("talks-on-demand"), false);
  const notifications = { toolsListChanged: true, resourceSubscriptions: ["file:///a"] };
  await client.say(modern("subscriptions/listen", { notifications }, "l1"));
  const { params } = await client.told("notifications/subscriptions/acknowledged");
  assert.deepEqual(params?.["notifications"], notifications);
  await client.say(
    modern(
      "subscriptions/listen",
      { notifications: { resourceSubscriptions: ["file:///a", "file:///b"] } },
      "l2",
    ),
  );
  await until(() => client.notifications("notifications/subscriptions/acknowledged").length === 2, {
    withinMs: 5000,
    label: "both",
  });
  const changed = (uri: string) => ({ method: "notifications/resources/updated", params: { uri } });
  const said = [
    changed("file:///a"),
    changed("file:///b"),
    changed("file:///c"),
    { method: "notifications/tools/list_changed" },
    { method: "notifications/prompts/list_changed" },
  ];
  await client.ask(call("tell", { notifications: said }, 1));
  await client.told("notifications/tools/list_changed");
  const marks = (method: string) =>
    client
      .notifications(method)
      .map((value) => [
        value.params?.["uri"],
        (value.params as { _meta: Params })._meta[`${PREFIX}subscriptionId`],
      ]);
  assert.deepEqual(marks("notifications/resources/updated"), [
    ["file:///a", "l1"],
    ["file:///a", "l2"],
    ["file:///b", "l2"],
  ]);
  assert.deepEqual(marks("notifications/tools/list_changed"), [[undefined, "l1"]]);
  assert.deepEqual(marks("notifications/prompts/list_changed"), []);
  assert.equal(sentOf(sent, "resources/subscribe").length, 2);
  await client.say(notification("notifications/cancelled", { requestId: "l1" }));
  await client.ask(call("tell", { notifications: said }, 2));
  assert.deepEqual(sentOf(sent, "resources/unsubscribe"), []);
  await client.say(notification("notifications/cancelled", { requestId: "l2" }));
  await until(() => sentOf(sent, "resources/unsubscribe").length === 2, {
    withinMs: 5000,
    label: "unsubscribed",
  });
  assert.equal(
    client.written.some(({ value }) => "id" in value && String(value.id).startsWith("l")),
    false,
  );
});

test("when the relay closes, subscriptions end gracefully, and what is in flight without an answer", async (t) => {
  const { client, close, sent } = await open(t, fixture("talks-on-demand"));
  await client.say(modern("subscriptions/listen", { notifications: { toolsListChanged: true } }, "l"));
  await client.told("notifications/subscriptions/acknowledged");
  await client.say(call("hold", { key: "x" }, 5));
  await client.ask(call("ask", {}, 6));
  await close();
  const { result } = await client.answerTo("l");
  assert.equal(result?.["resultType"], "complete");
  assert.equal(
    client.written.some(({ value }) => "id" in value && value.id === 5),
    false,
  );
  assert.equal(sentOf(sent, "notifications/cancelled").length, 1);
});

test("a question that waits for its client is cancelled at the remote when the relay closes", async (t) => {
  const { client, close, sent } = await open(t, fixture("legacy-asks"));
  await client.ask(call("ask-one", {}, 5));
  const from = client.written.length;
  await client.say(call("pids", {}, 5));
  assert.match(client.written[from]?.text ?? "", /Another request with this id has no answer yet/);
  await close();
  assert.equal(sentOf(sent, "notifications/cancelled").length, 1);
});

test("a real server of the older revisions: list, progress, questions, and cancellation", async (t) => {
  const { client, close } = await open(t, sdkServer("legacy-only"));
  const { result } = await client.ask(modern("tools/list", {}, 1));
  assert.equal((result as { tools: unknown[] }).tools.length, 6);
  const asked = await client.ask(call("ask", {}, 2));
  const retry = { inputResponses: { q0: NAME }, requestState: asked.result?.["requestState"] };
  assert.match(textOf(await client.ask(call("ask", {}, 3, retry))), /"name":"Ada"/);
  await client.say(call("progress", { gate: "/nowhere" }, 4, {}, { progressToken: 4 }));
  assert.equal((await client.told("notifications/progress")).params?.["progressToken"], 4);
  await close();
});
