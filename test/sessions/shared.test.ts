import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until, within } from "../support/deadline.ts";
import type { Message } from "../support/live-stream.ts";
import { isAlive, waitUntilGone } from "../support/processes.ts";
import { call, notification, request } from "../support/rpc.ts";
import type { Params } from "../support/rpc.ts";
import { memoryOf, pidOf, serveSessions, textOf } from "../support/sessions.ts";
import type { Served, ServedOptions } from "../support/sessions.ts";
import { answering, connectSse, saying } from "../support/sse-client.ts";
import type { SseClient } from "../support/sse-client.ts";

const WAIT_MS = 10_000;
const PROGRESS = "notifications/progress";
const LOG = "notifications/message";
const TOOLS_CHANGED = "notifications/tools/list_changed";
const UPDATED = "notifications/resources/updated";

interface Two extends Served {
  readonly one: SseClient;
  readonly two: SseClient;
}

/** Two clients of one process, which have made their handshakes. */
async function connectTwo(
  t: TestContext,
  name: string,
  { capabilities = {}, ...options }: ServedOptions & { readonly capabilities?: Params } = {},
): Promise<Two> {
  const served = await serveSessions(t, name, { sharedSession: true, ...options });
  const [one, two] = [await connectSse(t, served.url), await connectSse(t, served.url)];
  for (const client of [one, two]) await client.initialize({ capabilities });
  return { ...served, one, two };
}

/** Begins a call that waits for its release, and resolves when the server has it. */
async function hold(
  client: SseClient,
  { received }: Served,
  key: string,
  id: string | number = key,
): Promise<void> {
  const isHeld = ({ params }: Message): boolean =>
    params?.["name"] === "hold" && (params["arguments"] as Params | undefined)?.["key"] === key;
  await client.send(call("hold", { key }, { id }));
  await until(() => received.some(isHeld), { withinMs: WAIT_MS, label: `the server holds ${key}` });
}

function methodsOf(client: SseClient): string[] {
  return client.messages.flatMap(({ method }) => method ?? []);
}

/** A notification that reaches everybody, after which nothing that was said before can come any more. */
async function settle(speaker: SseClient, ...clients: readonly SseClient[]): Promise<void> {
  await speaker.call("tell", { notifications: [{ method: "notifications/prompts/list_changed" }] });
  for (const client of clients)
    await client.take(saying("notifications/prompts/list_changed"), "the last word");
}

describe("clients of one process", () => {
  test("all reach the same one, which outlives each of them", async (t) => {
    const { url, one, two, pids, starts } = await connectTwo(t, "remembers");
    assert.equal(textOf(await one.call("count")), "1");
    assert.equal(textOf(await two.call("count")), "2");
    one.close();
    assert.equal(textOf(await two.call("count")), "3");
    const three = await connectSse(t, url);
    assert.equal(textOf(await three.call("count")), "4");
    assert.deepEqual([pids(), starts()], [[await pidOf(two)], 1]);
  });

  test("may use equal ids, and ids that only look equal", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "remembers");
    await hold(one, served, "one number", 1);
    await hold(two, served, "two number", 1);
    await hold(one, served, "one text", "1");
    await hold(two, served, "two text", "1");
    for (const key of ["two text", "one number", "two number", "one text"])
      await two.call("release", { key });
    for (const [client, name] of [
      [one, "one"],
      [two, "two"],
    ] as const) {
      assert.equal(textOf(await client.take(answering(1), "the answer to 1")), `held ${name} number`);
      assert.equal(textOf(await client.take(answering("1"), 'the answer to "1"')), `held ${name} text`);
    }
    const { calls } = await memoryOf(one);
    assert.equal(new Set(calls.map(({ id }) => id)).size, calls.length, "the server saw an id twice");
  });

  test("hear of progress under their own tokens only", async (t) => {
    const { one, two } = await connectTwo(t, "talks-on-demand");
    const ask = (client: SseClient, token: string | number, id: string): Promise<Message> =>
      client.call("progress", { steps: 2 }, { id, meta: { progressToken: token } });
    const answers = [ask(one, 1, "a"), ask(two, 1, "b"), ask(one, "1", "c"), ask(two, "é\n", "d")];
    for (const answer of await Promise.all(answers)) assert.equal(textOf(answer), "2 steps");
    const tokens = (client: SseClient): unknown[] =>
      client.messages.filter(saying(PROGRESS)).map(({ params }) => params?.["progressToken"]);
    assert.deepEqual(tokens(one).toSorted(byType), ["1", "1", 1, 1].toSorted(byType));
    assert.deepEqual(tokens(two).toSorted(byType), ["é\n", "é\n", 1, 1].toSorted(byType));
  });

  test("are told nothing of progress that they did not ask for", async (t) => {
    const { one, two } = await connectTwo(t, "talks-on-demand");
    await one.call("progress", { steps: 2 });
    await settle(one, one, two);
    assert.deepEqual(
      [one, two].flatMap(methodsOf).filter((method) => method === PROGRESS),
      [],
    );
  });
});

describe("the handshake that is shared", () => {
  test("is the first client's, in the newest revision", async (t) => {
    const served = await serveSessions(t, "remembers", { sharedSession: true });
    const [one, two] = [await connectSse(t, served.url), await connectSse(t, served.url)];
    const capabilities = { roots: { listChanged: true }, sampling: {} };
    const clientInfo = { name: "first", version: "1.0.0" };
    const first = await one.initialize({ protocolVersion: "2024-11-05", capabilities, clientInfo });
    const second = await two.initialize({ protocolVersion: "2025-06-18" });
    assert.equal(first.result?.["protocolVersion"], "2024-11-05");
    assert.equal(second.result?.["protocolVersion"], "2025-06-18");
    const { handshakes, initialized } = await memoryOf(two);
    assert.deepEqual(handshakes, [{ protocolVersion: "2025-11-25", capabilities, clientInfo }]);
    assert.equal(initialized, 1);
  });

  test("gives each client the older of its own revision and the server's", async (t) => {
    const served = await serveSessions(t, "remembers", {
      sharedSession: true,
      args: ["--revision=2025-03-26"],
    });
    for (const [asked, answered] of [
      ["2025-11-25", "2025-03-26"],
      ["2025-03-26", "2025-03-26"],
      ["2024-11-05", "2024-11-05"],
    ] as const) {
      const client = await connectSse(t, served.url);
      const { result } = await client.initialize({ protocolVersion: asked });
      assert.equal(result?.["protocolVersion"], answered, `asked for ${asked}`);
    }
    assert.equal(served.starts(), 1);
  });

  test("offers changes, and no tasks", async (t) => {
    const { one, received } = await connectTwo(t, "declares-everything");
    const { result } = await one.initialize({ id: "again" });
    const capabilities = result?.["capabilities"] as Readonly<Record<string, unknown>>;
    assert.equal(capabilities["tasks"], undefined);
    assert.deepEqual(capabilities["extensions"], { "example.com/extension": { level: 2 } });
    assert.deepEqual(capabilities["tools"], { listChanged: true });
    assert.deepEqual(capabilities["resources"], { listChanged: true, subscribe: true });
    assert.equal((await one.ask(request("tasks/list", {}, "t"))).error?.code, -32601);
    assert.equal(
      received.some(({ method }) => method === "tasks/list"),
      false,
    );
  });
});

describe("a log message", () => {
  const log = (level: string, data: string) => ({ method: LOG, params: { level, data } });
  const heard = (client: SseClient): unknown[] =>
    client.messages.filter(saying(LOG)).map(({ params }) => params?.["data"]);

  test("goes to the only client that has requests in flight", async (t) => {
    const { one, two } = await connectTwo(t, "talks-on-demand");
    await one.call("tell", { notifications: [log("info", "for one")] });
    await settle(one, one, two);
    assert.deepEqual([heard(one), heard(two)], [["for one"], []]);
  });

  test("goes to all when no request is in flight", async (t) => {
    const { one, two } = await connectTwo(t, "talks-on-demand");
    await one.call("tellLater", { notifications: [log("info", "for all")] });
    for (const client of [one, two]) await client.take(saying(LOG), "the log message");
    assert.deepEqual([heard(one), heard(two)], [["for all"], ["for all"]]);
  });

  test("goes to nobody when several clients have requests in flight", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "talks-on-demand");
    await hold(one, served, "one");
    await two.call("tell", { notifications: [log("info", "a secret")] });
    await settle(two, one, two);
    assert.deepEqual([heard(one), heard(two)], [[], []]);
    await two.call("release", { key: "one" });
  });

  test("reaches those who want its level", async (t) => {
    const { one, two } = await connectTwo(t, "talks-on-demand");
    const set = (client: SseClient, level: string): Promise<Message> =>
      client.ask(request("logging/setLevel", { level }, "level"));
    assert.deepEqual((await set(one, "debug")).result, {});
    assert.deepEqual((await set(two, "error")).result, {});
    const levels = ["debug", "warning", "error", "emergency"];
    await one.call("tellLater", { notifications: levels.map((level) => log(level, level)) });
    await one.take(({ params }) => params?.["data"] === "emergency", "the last message");
    await two.take(({ params }) => params?.["data"] === "emergency", "the last message");
    assert.deepEqual(heard(one), levels);
    assert.deepEqual(heard(two), ["error", "emergency"]);
    // The server must go on with what is wanted most.
    assert.equal((await memoryOf(two)).levels.at(-1), "debug");
  });
});

describe("a change", () => {
  test("of a list reaches all, whoever has requests in flight", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "talks-on-demand");
    await hold(one, served, "one");
    await two.call("tell", { notifications: [{ method: TOOLS_CHANGED }] });
    for (const client of [one, two]) await client.take(saying(TOOLS_CHANGED), "the change");
    await two.call("release", { key: "one" });
  });

  test("of a resource reaches its subscribers, for whom there is one subscription", async (t) => {
    const { one, two, url } = await connectTwo(t, "talks-on-demand");
    const three = await connectSse(t, url);
    const uri = "test://one";
    const ask = (client: SseClient, method: string): Promise<Message> =>
      client.ask(request(method, { uri }, method));
    const tell = (): Promise<Message> =>
      three.call("tell", { notifications: [{ method: UPDATED, params: { uri } }] });
    for (const client of [one, two]) assert.deepEqual((await ask(client, "resources/subscribe")).result, {});
    await tell();
    for (const client of [one, two]) await client.take(saying(UPDATED), "the change");
    assert.deepEqual((await memoryOf(one)).subscribed, [uri]);

    assert.deepEqual((await ask(one, "resources/unsubscribe")).result, {});
    assert.deepEqual((await memoryOf(one)).unsubscribed, []);
    await tell();
    await two.take(saying(UPDATED), "the second change");
    assert.deepEqual((await ask(two, "resources/unsubscribe")).result, {});
    assert.deepEqual((await memoryOf(one)).unsubscribed, [uri]);
    await settle(three, one, two, three);
    const counts = [one, two, three].map((client) => client.messages.filter(saying(UPDATED)).length);
    assert.deepEqual(counts, [1, 2, 0]);
  });

  test("of a resource is no more wanted when its last subscriber leaves", async (t) => {
    const { one, two } = await connectTwo(t, "talks-on-demand");
    const uri = "test://one";
    await one.ask(request("resources/subscribe", { uri }, "s"));
    one.close();
    const isOver = async (): Promise<boolean> => (await memoryOf(two)).unsubscribed.includes(uri);
    await until(isOver, { withinMs: WAIT_MS, label: "the server is unsubscribed" });
  });
});

describe("that a page was visited", () => {
  const COMPLETE = "notifications/elicitation/complete";
  const capabilities = { elicitation: { url: {} } };

  for (const way of ["visit", "require"]) {
    test(`is news for the client that was sent there, and for no other (${way})`, async (t) => {
      const { one, two } = await connectTwo(t, "sends-to-page", { capabilities });
      await one.call(way, { elicitationId: "first" });
      await two.call(way, { elicitationId: "second" });
      for (const elicitationId of ["first", "second", "unknown"])
        await two.call("complete", { elicitationId });
      for (const [client, own] of [
        [one, "first"],
        [two, "second"],
      ] as const) {
        for (let times = 0; times < 3; times++) await client.take(saying(TOOLS_CHANGED), "the last word");
        const heard = client.messages.filter(saying(COMPLETE));
        assert.deepEqual(
          heard.map(({ params }) => params),
          [{ elicitationId: own }],
        );
      }
    });
  }

  test("is forgotten of a client that was sent to more pages than a user can visit", async (t) => {
    const { one } = await connectTwo(t, "sends-to-page", { capabilities });
    for (let page = 0; page <= 100; page++) await one.call("require", { elicitationId: String(page) });
    for (const elicitationId of ["0", "1"]) await one.call("complete", { elicitationId });
    for (let times = 0; times < 2; times++) await one.take(saying(TOOLS_CHANGED), "the last word");
    const heard = one.messages.filter(saying(COMPLETE));
    assert.deepEqual(
      heard.map(({ params }) => params),
      [{ elicitationId: "1" }],
    );
  });
});

describe("a question of the server", () => {
  const ELICIT = {
    method: "elicitation/create",
    params: { message: "Name?", requestedSchema: { type: "object" } },
  };
  const ANSWER = { action: "accept", content: { name: "Ada" } };
  const capabilities = { elicitation: {} };

  test("goes to the client whose request is in flight, under an id of our own", async (t) => {
    const { one, two, said } = await connectTwo(t, "asks-on-demand", { capabilities });
    await one.send(call("ask", ELICIT, { id: 1 }));
    const asked = await one.take(saying(ELICIT.method), "the question");
    assert.deepEqual(asked.params, ELICIT.params);
    const own = said.find(saying(ELICIT.method));
    assert.notEqual(asked.id, own?.id);
    await one.send({ jsonrpc: "2.0", id: asked.id, result: ANSWER });
    const answer = await one.take(answering(1), "the answer to the call");
    assert.deepEqual(JSON.parse(textOf(answer)), { jsonrpc: "2.0", id: own?.id, result: ANSWER });
    assert.deepEqual(methodsOf(two), []);
  });

  test("is not answered by another client", async (t) => {
    const { one, two } = await connectTwo(t, "asks-on-demand", { capabilities });
    await one.send(call("ask", ELICIT, { id: 1 }));
    const { id } = await one.take(saying(ELICIT.method), "the question");
    const response = await two.post({ jsonrpc: "2.0", id, result: { action: "decline" } });
    await response.text();
    await one.send({ jsonrpc: "2.0", id, result: ANSWER });
    const answer = await one.take(answering(1), "the answer to the call");
    assert.deepEqual(JSON.parse(textOf(answer)).result, ANSWER);
  });

  test("goes to the only client there is, also when it waits for nothing", async (t) => {
    const { url } = await serveSessions(t, "asks-on-demand", { sharedSession: true });
    const only = await connectSse(t, url);
    await only.initialize({ capabilities });
    await only.call("askLater", ELICIT);
    const { id } = await only.take(saying(ELICIT.method), "the question");
    await only.send({ jsonrpc: "2.0", id, result: ANSWER });
    const answers = async (): Promise<readonly Message[]> => JSON.parse(textOf(await only.call("answers")));
    const [first] = await until(async () => (await answers()).length > 0 && answers(), {
      withinMs: WAIT_MS,
      label: "the answer has come",
    });
    assert.deepEqual(first?.result, ANSWER);
  });

  test("that nobody can be told for is refused", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "asks-on-demand", { capabilities });
    await one.call("askLater", ELICIT);
    const answers = async (): Promise<readonly Message[]> => JSON.parse(textOf(await one.call("answers")));
    const [idle] = await until(async () => (await answers()).length > 0 && answers(), {
      withinMs: WAIT_MS,
      label: "the refusal",
    });
    assert.equal(idle?.error?.code, -32601);
    await hold(one, served, "one");
    assert.equal(JSON.parse(textOf(await two.call("ask", ELICIT))).error.code, -32601);
    assert.deepEqual([...methodsOf(one), ...methodsOf(two)], []);
    await two.call("release", { key: "one" });
  });

  test("is refused where the client has not declared the capability", async (t) => {
    const { one } = await connectTwo(t, "asks-on-demand");
    for (const question of [
      ELICIT,
      { method: "sampling/createMessage", params: {} },
      { method: "roots/list" },
    ]) {
      assert.equal(JSON.parse(textOf(await one.call("ask", question))).error.code, -32601, question.method);
    }
    assert.deepEqual(methodsOf(one), []);
  });

  test("counts the capabilities of the client that is asked, not of the first one", async (t) => {
    const { url } = await serveSessions(t, "asks-on-demand", { sharedSession: true });
    const [first, second] = [await connectSse(t, url), await connectSse(t, url)];
    await first.initialize();
    await second.initialize({ capabilities });
    assert.equal(JSON.parse(textOf(await first.call("ask", ELICIT))).error.code, -32601);
    await second.send(call("ask", ELICIT, { id: 1 }));
    const { id } = await second.take(saying(ELICIT.method), "the question");
    await second.send({ jsonrpc: "2.0", id, result: ANSWER });
    const answer = await second.take(answering(1), "the answer to the call");
    assert.deepEqual(JSON.parse(textOf(answer)).result, ANSWER);
  });

  test("is refused when the client that was asked leaves", async (t) => {
    const { url } = await serveSessions(t, "asks-on-demand", { sharedSession: true });
    const asked = await connectSse(t, url);
    await asked.initialize({ capabilities });
    await asked.call("askLater", ELICIT);
    await asked.take(saying(ELICIT.method), "the question");
    asked.close();
    const other = await connectSse(t, url);
    const answers = async (): Promise<readonly Message[]> => JSON.parse(textOf(await other.call("answers")));
    const [refusal] = await until(async () => (await answers()).length > 0 && answers(), {
      withinMs: WAIT_MS,
      label: "the refusal",
    });
    assert.equal(typeof refusal?.error?.code, "number");
  });

  test("ping is answered at once", async (t) => {
    const { one } = await connectTwo(t, "asks-on-demand");
    assert.deepEqual(JSON.parse(textOf(await one.call("ask", { method: "ping" }))).result, {});
    assert.deepEqual(methodsOf(one), []);
  });
});

describe("who does not wait any more", () => {
  test("cancels its own request, by the id that the server knows", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "remembers");
    await hold(one, served, "one", 1);
    await hold(two, served, "two", 1);
    await two.send(notification("notifications/cancelled", { requestId: 1, reason: "changed my mind" }));
    const isCancelled = async (): Promise<boolean> => (await memoryOf(one)).cancelled.length > 0;
    await until(isCancelled, { withinMs: WAIT_MS, label: "the server knows" });
    const { calls, cancelled } = await memoryOf(one);
    assert.deepEqual(cancelled, [calls.filter(({ name }) => name === "hold")[1]?.id]);
    await one.call("release", { key: "two" });
    await one.call("release", { key: "one" });
    assert.equal(textOf(await one.take(answering(1), "the answer to one")), "held one");
    assert.equal(two.messages.some(answering(1)), false);
  });

  test("has its requests cancelled when it leaves, and nobody else's", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "remembers");
    await hold(one, served, "one", 1);
    await hold(two, served, "two", 1);
    one.close();
    const isCancelled = async (): Promise<boolean> => (await memoryOf(two)).cancelled.length > 0;
    await until(isCancelled, { withinMs: WAIT_MS, label: "the server knows" });
    const { calls, cancelled } = await memoryOf(two);
    assert.deepEqual(cancelled, [calls.find(({ name }) => name === "hold")?.id]);
    await two.call("release", { key: "two" });
    assert.equal(textOf(await two.take(answering(1), "the answer to two")), "held two");
  });
});

describe("a process that ends", () => {
  test("fails what is in flight, and the next message starts another one that knows as much", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "remembers");
    await one.ask(request("resources/subscribe", { uri: "test://one" }, "s"));
    await two.ask(request("logging/setLevel", { level: "warning" }, "l"));
    const before = await memoryOf(one);
    await hold(two, served, "two");
    const lost = await one.call("die");
    assert.deepEqual([lost.error?.code, lost.error?.data?.["reason"]], [-32603, "exited"]);
    const other = await two.take(answering("two"), "the answer to the other client");
    assert.deepEqual([other.error?.code, other.error?.data?.["reason"]], [-32603, "exited"]);

    assert.equal(textOf(await two.call("count")), "1");
    const after = await memoryOf(two);
    assert.notEqual(after.pid, before.pid);
    assert.deepEqual(after.handshakes, before.handshakes);
    assert.deepEqual([after.initialized, after.subscribed, after.levels], [1, ["test://one"], ["warning"]]);
    assert.equal(served.starts(), 2);
    await waitUntilEnded(before.pid);
  });

  test("while nobody waits is replaced with the next message", async (t) => {
    const { one, two, ...served } = await connectTwo(t, "remembers");
    const pid = await pidOf(one);
    process.kill(pid, "SIGKILL");
    await waitUntilEnded(pid);
    const revived = async (): Promise<boolean> => (await two.call("count")).result !== undefined;
    await until(revived, { withinMs: WAIT_MS, label: "another one" });
    assert.notEqual(await pidOf(one), pid);
    assert.equal(served.starts(), 2);
  });

  test("again and again is started after a pause that doubles, and fails at once meanwhile", async (t) => {
    const { url, starts } = await serveSessions(t, "dies-after-handshake", { sharedSession: true });
    const client = await connectSse(t, url);
    const fails = async (): Promise<number | undefined> => {
      const { error } = await client.call("any");
      assert.deepEqual([error?.code, error?.data?.["reason"]], [-32603, "exited"]);
      return error?.data?.["retryAfterMs"] as number | undefined;
    };
    /** Asks until another start was allowed; the pause that follows. */
    const nextPause = async (): Promise<number> => {
      const before = starts();
      const isStarted = async (): Promise<boolean> => {
        await fails();
        return starts() > before;
      };
      await until(isStarted, { withinMs: WAIT_MS, label: "the next start" });
      const pause = await fails();
      assert.equal(starts(), before + 1, "it was started without a pause");
      return pause ?? 0;
    };
    // A server may crash once.
    assert.equal(await fails(), undefined);
    assert.equal(await fails(), undefined);
    assert.equal(starts(), 2);
    const first = (await fails()) ?? 0;
    assert.equal(starts(), 2, "it was started without a pause");
    assert.ok(first > 0 && first <= 1000, `the first pause is ${first} ms`);
    const second = await nextPause();
    assert.ok(second > 1000 && second <= 2000, `the second pause is ${second} ms`);
  });

  test("before the handshake fails the request with the reason", async (t) => {
    const { url } = await serveSessions(t, "crashes-at-start", { sharedSession: true });
    const client = await connectSse(t, url);
    const { error } = await client.call("any");
    assert.deepEqual([error?.code, error?.data?.["reason"]], [-32603, "exited"]);
  });
});

async function waitUntilEnded(pid: number): Promise<void> {
  await until(() => !isAlive(pid), { withinMs: WAIT_MS, label: `${pid} has ended` });
}

describe("a shared process", () => {
  test("takes no variables from a URL", async (t) => {
    const { url, pids } = await serveSessions(t, "environment", {
      sharedSession: true,
      allowEnv: ["GREETING"],
    });
    const response = await within(fetch(`${url}/sse?GREETING=hello`), WAIT_MS, "an answer");
    const { error } = (await response.json()) as { error: { message: string } };
    assert.equal(response.status, 400);
    assert.match(error.message, /GREETING/);
    assert.deepEqual(pids(), []);
  });

  test("ends when nobody has used it for a while, and is started again", async (t) => {
    const { url, token } = await serveSessions(t, "remembers", { sharedSession: true, sessionIdleMs: 100 });
    const one = await connectSse(t, url);
    assert.equal(textOf(await one.call("count")), "1");
    one.close();
    await waitUntilGone(token, { withinMs: WAIT_MS, label: "the process that nobody uses has ended" });
    const two = await connectSse(t, url);
    assert.equal(textOf(await two.call("count")), "1");
  });

  test("does not end while a client is connected", async (t) => {
    const options = { sharedSession: true, sessionIdleMs: 50, heartbeatMs: 50 };
    const { url } = await serveSessions(t, "remembers", options);
    const client = await connectSse(t, url);
    await client.call("count");
    const before = client.comments();
    await until(() => client.comments() > before + 5, { withinMs: WAIT_MS, label: "some time has passed" });
    assert.equal(textOf(await client.call("count")), "2");
  });
});

function byType(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
