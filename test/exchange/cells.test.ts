import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { within } from "../support/deadline.ts";
import { readAll, readEvents } from "../support/event-stream.ts";
import { methodsOf, modern, modernCall, observe, textOf } from "../support/modern.ts";
import type { Answer } from "../support/modern.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, initialize, post, request } from "../support/rpc.ts";
import type { Params } from "../support/rpc.ts";

const LEVEL = "io.modelcontextprotocol/logLevel";
const MODERN = { config: { era: "modern" } } as const;

async function messagesOf(response: Response): Promise<readonly Params[]> {
  const frames = await readAll(response);
  return frames.filter(({ data }) => data !== undefined).map(({ data }) => JSON.parse(data ?? "") as Params);
}

describe("log messages", () => {
  test("of a legacy server reach a modern client that names a level, from that level up", async (t) => {
    const server = observe(t, "progress");
    const init = modernCall("progress", { steps: 1, delayMs: 1 }, { meta: { [LEVEL]: "info" } });
    assert.deepEqual(methodsOf(await messagesOf(await server.send(init))), [
      "notifications/message",
      "answer",
    ]);
    assert.ok(methodsOf(server.received()).includes("logging/setLevel"));
    const louder = modernCall("progress", { steps: 1, delayMs: 1 }, { meta: { [LEVEL]: "warning" } });
    assert.ok((await server.ask(louder)).result);
  });

  test("do not reach a modern client that names none", async (t) => {
    const server = observe(t, "progress");
    const meta = { progressToken: "p" };
    const messages = await messagesOf(await server.send(modernCall("progress", { steps: 1 }, { meta })));
    assert.deepEqual(methodsOf(messages), ["notifications/progress", "answer"]);
    assert.ok(!methodsOf(server.received()).includes("logging/setLevel"));
  });

  test("of a modern server reach a legacy client, all of them", async (t) => {
    const server = observe(t, "modern-retries");
    const messages = await messagesOf(await server.send(post(call("logs"))));
    assert.deepEqual(messages[0]?.["params"], { level: "debug", data: "debug" });
    const { result } = await server.ask(post(request("logging/setLevel", { level: "error" })));
    assert.deepEqual(result, {});
  });

  test("are wanted in a level that there is, or the request is refused", async (t) => {
    const server = observe(t, "progress");
    const { status, error } = await server.ask(modernCall("progress", {}, { meta: { [LEVEL]: "loud" } }));
    assert.deepEqual([status, error?.code, server.started()], [400, -32602, 0]);
  });
});

describe("a legacy client before a modern server", () => {
  test("sees nothing of retries that ask for nothing", async (t) => {
    const server = observe(t, "modern-retries", MODERN);
    assert.equal(textOf(await server.ask(post(call("again", { times: 3 }, { id: 9 })))), "after 3");
    assert.deepEqual([methodsOf(server.received()).length, server.started()], [4, 1]);
  });

  test("is told when a server retries without end", async (t) => {
    const server = observe(t, "modern-retries", MODERN);
    const { error, id, status } = await server.ask(post(call("again", { times: 99 }, { id: 9 })));
    assert.deepEqual([status, error?.code, id], [200, -32603, 9]);
    assert.match(error?.message ?? "", /needs client input/);
    await waitUntilGone(server.token);
  });

  test("is told that it cannot be asked", async (t) => {
    const server = observe(t, "modern-retries", MODERN);
    const { error } = await server.ask(post(call("visit")));
    assert.match(error?.message ?? "", /needs client input, which this connection cannot provide/);
  });

  test("is asked in its own way under hold, and the server gets its state back", async (t) => {
    const server = observe(t, "modern-retries", { ...MODERN, inputMode: "hold" });
    const opening = await server.send(post(initialize({ capabilities: { elicitation: { url: {} } } })));
    await opening.text();
    const headers = { "mcp-session-id": opening.headers.get("mcp-session-id") ?? "" };
    const events = readEvents(await server.send(post(call("visit", {}, { id: 4 }), headers)));
    const asked = JSON.parse((await events.next()).value?.data ?? "") as { id: string; params: Params };
    assert.equal(asked.params["mode"], "url");
    assert.equal(typeof asked.params["elicitationId"], "string");
    const result = { action: "accept" };
    await server.send(post({ jsonrpc: "2.0", id: asked.id, result }, headers));
    const last = JSON.parse((await events.next()).value?.data ?? "") as Answer;
    assert.equal(last.id, 4);
    assert.deepEqual(JSON.parse(textOf(last)), { inputResponses: { account: result }, requestState: "mine" });
    await events.return();
  });

  test("is told of a type of result that it cannot know", async (t) => {
    const { error } = await observe(t, "modern-retries", MODERN).ask(post(call("strange")));
    assert.equal(error?.data?.["reason"], "protocol");
    assert.match(error.message, /of the type task/);
  });

  test("gets the output of a tool as its schema says, although nobody has listed the tools before", async (t) => {
    const server = observe(t, "modern-retries", MODERN);
    const { result } = await server.ask(post(call("object")));
    assert.deepEqual(result?.["structuredContent"], { result: { result: 1 } });
    assert.deepEqual(methodsOf(server.received()), ["tools/call", "tools/list"]);
    await server.ask(post(call("object")));
    assert.deepEqual(methodsOf(server.received()), ["tools/call"]);
  });

  test("gets a result although the server ends before it can be asked about the tool", async (t) => {
    const server = observe(t, "modern-retries", MODERN);
    const { result } = await server.ask(post(call("object-and-exit")));
    assert.deepEqual(result?.["structuredContent"], { result: 1 });
  });

  test("in a batch learns which of its requests cannot be answered, and gets the others", async (t) => {
    const server = observe(t, "modern-retries", MODERN);
    const batch = [call("visit", {}, { id: 1 }), call("strange", {}, { id: 2 }), call("logs", {}, { id: 3 })];
    const response = await server.send(post(batch, { accept: "application/json" }));
    const answers = new Map(((await response.json()) as Answer[]).map((answer) => [answer.id, answer]));
    assert.deepEqual(
      [1, 2, 3].map((id) => answers.get(id)?.error?.code),
      [-32603, -32603, undefined],
    );
  });

  test("that is asked is told when the server ends meanwhile", async (t) => {
    const server = observe(t, "modern-retries", { ...MODERN, inputMode: "hold" });
    const opening = await server.send(post(initialize({ capabilities: { elicitation: { url: {} } } })));
    await opening.text();
    const headers = { "mcp-session-id": opening.headers.get("mcp-session-id") ?? "" };
    const events = readEvents(await server.send(post(call("visit"), headers)));
    await events.next();
    for (const { pid } of processesWith(server.token)) process.kill(pid, "SIGKILL");
    const last = JSON.parse((await within(events.next(), 5000, "the end")).value?.data ?? "") as Answer;
    assert.equal(last.error?.data?.["reason"], "exited");
    await events.return();
  });

  test("in a batch gets every answer", async (t) => {
    const server = observe(t, "modern-retries", MODERN);
    const batch = [
      call("object", {}, { id: 1 }),
      call("again", { times: 1 }, { id: 2 }),
      call("logs", {}, { id: 3 }),
    ];
    const response = await server.send(post(batch, { accept: "application/json" }));
    const answers = (await response.json()) as Answer[];
    assert.deepEqual(new Set(answers.map(({ id }) => id)), new Set([1, 2, 3]));
    assert.ok(answers.every(({ result }) => result !== undefined && !("resultType" in result)));
  });
});

test("a modern server that sends a request breaks its protocol, and the client is told", async (t) => {
  for (const init of [modernCall("asks"), post(call("asks"))]) {
    const { error } = await observe(t, "modern-retries", MODERN).ask(init);
    assert.equal(error?.data?.["reason"], "protocol");
    assert.match(error.message, /sent the request roots\/list/);
  }
});

test("a server that talks instead of answering is stopped, and its talk not gathered", async (t) => {
  const headers = { "mcp-param-region": "eu" };
  const rows = [
    [[], "1000"],
    [["--times=100000"], "16777216 characters"],
  ] as const;
  for (const [args, limit] of rows) {
    const { error } = await observe(t, "talks-instead", { args }).ask(modernCall("any", {}, { headers }));
    assert.equal(error?.data?.["reason"], "protocol");
    assert.ok(
      error.message.endsWith(`sent other messages in place of an answer: more than ${limit}`),
      error.message,
    );
  }
});

test("a modern client reads every type of result of a modern server", async (t) => {
  const server = observe(t, "modern-retries", MODERN);
  assert.equal((await server.ask(modernCall("strange"))).result?.["resultType"], "task");
  const { result } = await server.ask(modernCall("again", { times: 1 }));
  assert.deepEqual(result, { resultType: "input_required", requestState: "1" });
});

test("under hold a modern server gets its own state back, and its client a handle", async (t) => {
  const server = observe(t, "modern-retries", { ...MODERN, inputMode: "hold" });
  const capabilities = { elicitation: { url: {} } };
  const first = await server.ask(modernCall("visit", {}, { capabilities }));
  const requestState = String(first.result?.["requestState"]);
  assert.match(requestState, /^mayfly-held\./);
  const inputResponses = { account: { action: "decline" } };
  const retry = { capabilities, id: "again", requestState, inputResponses };
  const answer = await server.ask(modernCall("visit", {}, retry));
  assert.deepEqual(JSON.parse(textOf(answer)), { inputResponses, requestState: "mine" });
  assert.deepEqual([answer.id, server.started()], ["again", 1]);
  await waitUntilGone(server.token);
});

describe("a modern request with the id 0 before a legacy server", () => {
  test("is answered with it", async (t) => {
    const { id, result } = await observe(t, "counter").ask(modernCall("count", {}, { id: 0 }));
    assert.deepEqual([id, result?.["resultType"]], [0, "complete"]);
  });

  test("has another one there, since older SDKs cannot cancel 0", async (t) => {
    const server = observe(t, "counter");
    await server.ask(modern("tools/list", {}, { id: 0 }));
    const sent = server.received().find(({ method }) => method === "tools/list");
    assert.match(String(sent?.["id"]), /^mayfly-/);
  });
});
