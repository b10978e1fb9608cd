import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { createLegacyBeforeModern } from "../../../lib/connect/relays/legacy-before-modern.ts";
import { silentLogger } from "../../../lib/logger.ts";
import { within } from "../../support/deadline.ts";
import { fixture } from "../../support/fixture.ts";
import { textOf } from "../../support/modern.ts";
import { createRelayClient } from "../../support/relay-client.ts";
import type { RelayClient } from "../../support/relay-client.ts";
import { modernRemoteOf } from "../../support/remotes.ts";
import type { Sent } from "../../support/remotes.ts";
import { call, initialize, notification, request } from "../../support/rpc.ts";
import type { Params } from "../../support/rpc.ts";
import { sdkServer } from "../../support/stdio-program.ts";
import type { ProgramParameters } from "../../support/stdio-program.ts";

interface Opened extends Sent {
  readonly client: RelayClient;
  readonly close: () => Promise<void>;
}

async function open(t: TestContext, parameters: ProgramParameters): Promise<Opened> {
  const remote = await modernRemoteOf(t, parameters);
  const client = createRelayClient();
  const relay = createLegacyBeforeModern({ remote, client, logger: silentLogger });
  client.use(relay);
  const close = () => within(relay.close(), 5000, "the relay closes");
  t.after(close);
  return { client, close, sent: remote.sent };
}

const ELICITATION = { elicitation: { form: {}, url: {} } };

async function handshake(client: RelayClient, capabilities: Params = {}): Promise<void> {
  await client.ask(initialize({ id: "first", capabilities }));
  await client.say(notification("notifications/initialized"));
}

test("the handshake is answered from what the remote said of itself, with the changes that are told here", async (t) => {
  const { client, sent } = await open(t, fixture("modern-only"));
  const { result } = await client.ask(initialize({ protocolVersion: "2025-06-18" }));
  assert.deepEqual(result, {
    capabilities: {
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: {},
      logging: {},
    },
    protocolVersion: "2025-06-18",
    serverInfo: { name: "modern-only", version: "1.0.0" },
  });
  const newer = await client.ask(initialize({ id: 1, protocolVersion: "2030-01-01" }));
  assert.equal(newer.result?.["protocolVersion"], "2025-11-25");
  assert.deepEqual((await client.ask(request("ping", {}, 2))).result, {});
  assert.deepEqual(sent, []);
});

test("requests get an envelope, and results lose what a client of the older revisions does not know", async (t) => {
  const { client, sent } = await open(t, fixture("modern-only"));
  await handshake(client);
  const text = `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"echo","arguments":{"n":12345678901234567890}, "odd" : [1.0]}}`;
  await client.say(text);
  const answer = JSON.parse(await client.textFor(9)) as { result: Params };
  assert.deepEqual(Object.keys(answer.result), ["content"]);
  const line = sent.find(({ text: one }) => one.includes("echo"))?.text ?? "";
  assert.match(line, /"arguments":\{"n":12345678901234567890\}, "odd" : \[1\.0\]/);
  assert.match(line, /"io\.modelcontextprotocol\/clientInfo":\{"name":"test-client","version":"1\.0\.0"\}/);
  const structured = await client.ask(call("structured", {}, { id: 10 }));
  assert.deepEqual(structured.result?.["structuredContent"], { result: [1, 2, 3] });
});

test("several requests are in flight at once, each under its own id", async (t) => {
  const { client } = await open(t, fixture("modern-only"));
  await handshake(client);
  const ids = [0, 1, "1", "a", 9007199254740993n.toString(), -5];
  for (const id of ids) await client.say(call("echo", { id }, { id }));
  for (const id of ids) {
    const said = JSON.parse(textOf(await client.answerTo(id))) as { arguments: { id: unknown } };
    assert.equal(said.arguments.id, id);
  }
});

test("a second request under an id that is in use is refused", async (t) => {
  const { client } = await open(t, fixture("modern-retries"));
  await handshake(client, ELICITATION);
  await client.say(call("visit", {}, { id: 5 }));
  await client.asked("elicitation/create");
  assert.match(JSON.stringify((await client.ask(call("again", {}, { id: 5 }))).error), /-32600/);
});

test("a question of the remote is asked of the client, and its answer goes with a retry", async (t) => {
  const { client, sent } = await open(t, fixture("modern-retries"));
  await handshake(client, ELICITATION);
  await client.say(call("visit", {}, { id: 5 }));
  const question = await client.asked("elicitation/create");
  assert.equal(question.params?.["url"], "https://example.com/connect");
  assert.equal(typeof question.params?.["elicitationId"], "string");
  await client.say({ jsonrpc: "2.0", id: question.id, result: { action: "accept" } });
  assert.deepEqual(JSON.parse(textOf(await client.answerTo(5))), {
    inputResponses: { account: { action: "accept" } },
    requestState: "mine",
  });
  assert.equal(sent.filter(({ text }) => text.includes("tools/call")).length, 2);
});

test("a client that cannot be asked gets an error", async (t) => {
  const { client } = await open(t, fixture("modern-retries"));
  await handshake(client);
  const { error } = await client.ask(call("visit", {}, { id: 5 }));
  assert.equal(error?.code, -32603);
  assert.match(error?.message ?? "", /needs client input/);
});

test("a client that answers a question with an error gets an error", async (t) => {
  const { client } = await open(t, fixture("modern-retries"));
  await handshake(client, ELICITATION);
  await client.say(call("visit", {}, { id: 5 }));
  const { id } = await client.asked("elicitation/create");
  await client.say({ jsonrpc: "2.0", id, error: { code: -1, message: "no user" } });
  assert.equal((await client.answerTo(5)).error?.code, -32603);
});

test("a request that is cancelled withdraws its questions, and gets no answer", async (t) => {
  const { client } = await open(t, fixture("modern-retries"));
  await handshake(client, ELICITATION);
  await client.say(call("visit", {}, { id: 5 }));
  const { id } = await client.asked("elicitation/create");
  await client.say(notification("notifications/cancelled", { requestId: 5 }));
  assert.equal((await client.told("notifications/cancelled")).params?.["requestId"], id);
  await client.say({ jsonrpc: "2.0", id, result: { action: "accept" } });
  await client.ask(call("again", { times: 0 }, { id: 6 }));
  assert.equal(client.written.filter(({ value }) => "id" in value && value.id === 5).length, 0);
});

test("the log level that the client has set goes with every request after it", async (t) => {
  const { client } = await open(t, fixture("modern-retries"));
  await handshake(client);
  await client.ask(call("logs", {}, { id: 1 }));
  assert.equal((await client.told("notifications/message")).params?.["data"], "debug");
  assert.equal((await client.ask(request("logging/setLevel", { level: "loud" }, 2))).error?.code, -32602);
  assert.deepEqual((await client.ask(request("logging/setLevel", { level: "error" }, 3))).result, {});
  const from = client.written.length;
  await client.ask(call("logs", {}, { id: 4 }));
  assert.equal((await client.told("notifications/message", from)).params?.["data"], "error");
});

test("notifications of the client's own making are handed on, and those of sessions are not", async (t) => {
  const { client, sent } = await open(t, fixture("modern-only"));
  await handshake(client);
  await client.say(notification("notifications/roots/list_changed"));
  await client.say(notification("x/custom", { big: 1 }));
  const custom = sent.filter(({ text }) => text.includes("x/custom"));
  assert.equal(custom.length, 1);
  assert.match(custom[0]?.text ?? "", /"io.modelcontextprotocol\/protocolVersion":"2026-07-28"/);
  assert.equal(
    sent.some(({ text }) => text.includes("roots/list_changed")),
    false,
  );
});

test("a real server without a handshake: list, progress, a question in two rounds, and cancellation", async (t) => {
  const { client, close } = await open(t, sdkServer("modern-only"));
  await handshake(client, { elicitation: {} });
  const { result } = await client.ask(request("tools/list", {}, 1));
  const tools = result?.["tools"] as { name: string; outputSchema?: Params }[];
  assert.equal(tools.find(({ name }) => name === "structured")?.outputSchema?.["type"], "object");
  await client.say(call("ask-two", {}, { id: 2 }));
  const name = await client.asked("elicitation/create");
  await client.say({ jsonrpc: "2.0", id: name.id, result: { action: "accept", content: { name: "Ada" } } });
  const from = client.written.length;
  const age = await client.asked("elicitation/create", from);
  await client.say({ jsonrpc: "2.0", id: age.id, result: { action: "accept", content: { age: 36 } } });
  assert.match(textOf(await client.answerTo(2)), /"name":"Ada","age":36/);
  await client.say(call("progress", { gate: "/nowhere" }, { id: 3, meta: { progressToken: "p" } }));
  assert.equal((await client.told("notifications/progress")).params?.["progressToken"], "p");
  await close();
  assert.equal(
    client.written.some(({ value }) => "id" in value && value.id === 3),
    false,
  );
});
