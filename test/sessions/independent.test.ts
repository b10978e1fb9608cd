import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until, within } from "../support/deadline.ts";
import type { Message } from "../support/live-stream.ts";
import { isAlive, waitUntilGone } from "../support/processes.ts";
import { call, request } from "../support/rpc.ts";
import { memoryOf, pidOf, serveSessions, textOf } from "../support/sessions.ts";
import type { Served, ServedOptions } from "../support/sessions.ts";
import { answering, connectSse, saying } from "../support/sse-client.ts";
import type { SseClient } from "../support/sse-client.ts";

const WAIT_MS = 10_000;

interface Two extends Served {
  readonly one: SseClient;
  readonly two: SseClient;
}

/** Two connections, each with a process of its own once it says something. */
async function connectTwo(t: TestContext, name: string, options: ServedOptions = {}): Promise<Two> {
  const served = await serveSessions(t, name, { sharedSession: false, ...options });
  return { ...served, one: await connectSse(t, served.url), two: await connectSse(t, served.url) };
}

describe("with a process for each connection", () => {
  test("none is started before the first message", async (t) => {
    const { one, two, pids } = await connectTwo(t, "remembers");
    assert.deepEqual(pids(), []);
    const pid = await pidOf(one);
    assert.deepEqual(pids(), [pid]);
    assert.notEqual(await pidOf(two), pid);
    assert.equal(pids().length, 2);
  });

  test("what one client does, another one does not see", async (t) => {
    const { one, two } = await connectTwo(t, "talks-on-demand");
    await one.ask(request("resources/subscribe", { uri: "test://one" }, "s"));
    const changes = [
      "notifications/tools/list_changed",
      "notifications/message",
      "notifications/resources/updated",
    ];
    await one.call("tellLater", { notifications: changes.map((method) => ({ method, params: {} })) });
    for (const method of changes) await one.take(saying(method), method);
    const { calls, subscribed } = await memoryOf(two);
    assert.deepEqual([calls.map(({ name }) => name), subscribed], [["memory"], []]);
    assert.deepEqual(
      two.messages.filter(({ method }) => method !== undefined),
      [],
    );
  });

  test("each client makes its own handshake, which passes both ways as it is", async (t) => {
    const { one, two } = await connectTwo(t, "remembers");
    const clientInfo = { name: "second", version: "2.0.0", "example.com/x": 1 };
    const capabilities = { roots: {}, "example.com/odd": { kept: true } };
    await one.initialize();
    const { result } = await two.initialize({ protocolVersion: "2024-11-05", capabilities, clientInfo });
    assert.equal(result?.["protocolVersion"], "2024-11-05");
    const { handshakes, initialized } = await memoryOf(two);
    assert.deepEqual(handshakes, [{ protocolVersion: "2024-11-05", capabilities, clientInfo }]);
    assert.equal(initialized, 1);
  });

  test("the server offers all that it has", async (t) => {
    const { one } = await connectTwo(t, "declares-everything");
    await one.initialize();
    const frame = one.frames.find(({ data }) => data?.includes('"capabilities"'));
    assert.match(frame?.data ?? "", /"tasks":\{"list":\{\}/);
    assert.match(frame?.data ?? "", /"example.com\/serial":9007199254740993/);
  });

  test("a client that has not initialized is served all the same", async (t) => {
    const { one } = await connectTwo(t, "remembers");
    assert.equal(textOf(await one.call("count")), "1");
    const { handshakes, initialized } = await memoryOf(one);
    assert.deepEqual([handshakes.length, initialized], [1, 1]);
  });

  test("a question goes to its client, also when it waits for nothing", async (t) => {
    const { one, two } = await connectTwo(t, "asks-on-demand");
    await one.initialize({ capabilities: { roots: {} } });
    await two.initialize({ capabilities: { roots: {} } });
    await one.call("askLater", { method: "roots/list" });
    const { id } = await one.take(saying("roots/list"), "the question");
    await one.send({ jsonrpc: "2.0", id, result: { roots: [] } });
    const answers = async (): Promise<readonly Message[]> => JSON.parse(textOf(await one.call("answers")));
    const [first] = await until(async () => (await answers()).length > 0 && answers(), {
      withinMs: WAIT_MS,
      label: "the answer has come",
    });
    assert.deepEqual(first?.result, { roots: [] });
    assert.deepEqual(two.messages.filter(saying("roots/list")), []);
  });

  test("the process ends within a second of its stream, and the others live on", async (t) => {
    const { one, two, pids } = await connectTwo(t, "remembers");
    const [gone, kept] = [await pidOf(one), await pidOf(two)];
    one.close();
    await until(() => !isAlive(gone), { withinMs: 1000, label: "the process of the first client has ended" });
    assert.deepEqual(pids(), [kept]);
    assert.equal(textOf(await two.call("count")), "1");
  });

  test("a process that ignores the end of its input ends too, with what it has started", async (t) => {
    const served = await serveSessions(t, "spawns-grandchild", { sharedSession: false, killGraceMs: 100 });
    const client = await connectSse(t, served.url);
    await client.call("call");
    assert.equal(served.pids().length, 2);
    client.close();
    await waitUntilGone(served.token, { withinMs: 1000 });
  });

  test("a call in flight ends with its stream", async (t) => {
    const { one, received, token } = await connectTwo(t, "remembers");
    await one.send(call("hold", { key: "k" }, { id: "h" }));
    const isHeld = (): boolean => received.some(({ params }) => params?.["name"] === "hold");
    await until(isHeld, { withinMs: WAIT_MS, label: "the server holds the call" });
    one.close();
    await waitUntilGone(token, { withinMs: 1000 });
  });

  test("a process that ends fails what is in flight, and the next message starts another one", async (t) => {
    const { one } = await connectTwo(t, "remembers");
    await one.initialize({ protocolVersion: "2025-06-18" });
    const pid = await pidOf(one);
    const { error } = await one.call("die");
    assert.deepEqual([error?.code, error?.data?.["reason"]], [-32603, "exited"]);
    const { pid: next, handshakes } = await memoryOf(one);
    assert.notEqual(next, pid);
    assert.deepEqual(
      handshakes.map(({ protocolVersion }) => protocolVersion),
      ["2025-06-18"],
    );
  });

  test("a connection that says nothing does not end", async (t) => {
    const options = { sharedSession: false, sessionIdleMs: 50, heartbeatMs: 50 };
    const { url } = await serveSessions(t, "remembers", options);
    const client = await connectSse(t, url);
    assert.equal(textOf(await client.call("count")), "1");
    const before = client.comments();
    await until(() => client.comments() > before + 5, { withinMs: WAIT_MS, label: "some time has passed" });
    assert.equal(textOf(await client.call("count")), "2");
  });
});

describe("variables in the URL of the stream", () => {
  const environmentOf = async (client: SseClient): Promise<Readonly<Record<string, string>>> =>
    JSON.parse(textOf(await client.call("environment"))).env;

  test("are those of the process, for its whole life", async (t) => {
    const { url } = await serveSessions(t, "environment", { sharedSession: false, allowEnv: ["GREETING"] });
    const one = await connectSse(t, url, { path: "/sse?GREETING=hello%20there" });
    const two = await connectSse(t, url);
    assert.equal((await environmentOf(one))["GREETING"], "hello there");
    assert.equal((await environmentOf(two))["GREETING"], undefined);
    assert.equal((await environmentOf(one))["GREETING"], "hello there");
    assert.doesNotMatch(one.reference, /GREETING|hello/);
  });

  test("are 400 where they are not allowed", async (t) => {
    const { url, pids } = await serveSessions(t, "environment", {
      sharedSession: false,
      allowEnv: ["GREETING"],
    });
    const response = await within(fetch(`${url}/sse?OTHER=1`), WAIT_MS, "an answer");
    const { error } = (await response.json()) as { error: { message: string } };
    assert.equal(response.status, 400);
    assert.match(error.message, /OTHER/);
    assert.deepEqual(pids(), []);
  });

  test("do not hold the key", async (t) => {
    const options = { sharedSession: false, allowEnv: ["*"], authKeys: ["k3y"] };
    const { url } = await serveSessions(t, "environment", options);
    const client = await connectSse(t, url, { path: "/sse?auth_key=k3y&GREETING=hello" });
    const environment = await environmentOf(client);
    assert.equal(environment["GREETING"], "hello");
    assert.doesNotMatch(JSON.stringify(environment), /k3y/);
  });
});

test("ids and progress tokens pass as the client wrote them", async (t) => {
  const { one, two } = await connectTwo(t, "talks-on-demand");
  for (const client of [one, two]) {
    await client.send(call("progress", { steps: 1 }, { id: "same", meta: { progressToken: 7 } }));
    const { params } = await client.take(saying("notifications/progress"), "the progress");
    assert.equal(params?.["progressToken"], 7);
    assert.equal(textOf(await client.take(answering("same"), "the answer")), "1 steps");
  }
});
