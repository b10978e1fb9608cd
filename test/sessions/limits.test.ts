import assert from "node:assert/strict";
import { get, request as send } from "node:http";
import type { IncomingMessage } from "node:http";
import { describe, test } from "node:test";

import type { SessionInfo } from "../../lib/index.ts";
import { silentLogger } from "../../lib/logger.ts";
import { until, within } from "../support/deadline.ts";
import { modernCall } from "../support/modern.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, initialize, notification, post, request } from "../support/rpc.ts";
import type { Message } from "../support/live-stream.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import { connectSse, answering } from "../support/sse-client.ts";
import { answerOf, connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 60_000;
const MIB = 1024 ** 2;
/** Windows knows no signal that stops a process for a while. */
const CANNOT_STOP = process.platform === "win32";

/** A stream of which nothing is read but its first event. */
async function openUnread(
  url: string,
): Promise<{ readonly stream: IncomingMessage; readonly endpoint: URL }> {
  const stream = await within(
    new Promise<IncomingMessage>((resolve, reject) => get(`${url}/sse`, resolve).once("error", reject)),
    WAIT_MS,
    "the head of the stream",
  );
  const first = await within(
    new Promise<string>((resolve) => stream.once("data", (chunk: Buffer) => resolve(chunk.toString()))),
    WAIT_MS,
    "the first event",
  );
  stream.pause();
  return { stream, endpoint: new URL(/^data: (.*)$/m.exec(first)?.[1] ?? "", `${url}/sse`) };
}

test("a client that does not read is disconnected, and others who share the server do not notice", async (t) => {
  const closed: SessionInfo[] = [];
  const { url, said } = await serveSessions(t, "big", { onClose: (session) => closed.push(session) });
  const { stream, endpoint } = await openUnread(url);
  t.after(() => stream.destroy());
  const other = await connectSse(t, url);
  for (let id = 1; closed.length === 0; id += 1) {
    assert.ok(id < 10, `${id} answers of 12 MiB wait for the client`);
    const body = call("big", { bytes: 12 * MIB }, { id });
    assert.equal((await within(fetch(endpoint, post(body)), WAIT_MS, "a POST")).status, 202);
    const isAnswered = (): boolean => said.filter(({ method }) => method === undefined).length > id;
    await until(isAnswered, { withinMs: WAIT_MS, label: `answer ${id}` });
  }
  await until(() => closed.length === 1, {
    withinMs: WAIT_MS,
    label: "the client that does not read is gone",
  });
  assert.equal((await fetch(endpoint, post(call("big", { bytes: 1 })))).status, 404);
  const end = new Promise<string>((resolve) => {
    stream
      .once("error", (error) => resolve(error.message))
      .once("end", () => resolve("it is read to its end"));
  });
  stream.resume();
  assert.equal(await within(end, WAIT_MS, "the end of the stream"), "aborted");
  assert.equal(textOf(await other.call("big", { bytes: 64 })).length, 64);
});

test("a server that does not read is not written to without end", async (t) => {
  const { url } = await serveSessions(t, "ignores-stdin", { maxBodyBytes: 10 * MIB });
  const client = await connectSse(t, url);
  const big = "x".repeat(9 * MIB);
  for (const id of [1, 2, 3]) await client.send(call("anything", { big }, { id }));
  const { error } = await client.take(answering(3), "the answer to the third call");
  assert.equal(error?.data?.["reason"], "overloaded");
  assert.match(error?.message ?? "", /does not read: 16777216 characters wait/);
});

test("a session has no limit for all that its server writes", async (t) => {
  const { url } = await serveSessions(t, "remembers", { maxOutputBytes: 1 });
  const client = await connectSse(t, url);
  for (const count of ["1", "2"]) assert.equal(textOf(await client.call("count")), count);
});

test("a request for which a session finds no process is a 503 that says when to try again", async (t) => {
  const options = { sessions: "shared", maxProcesses: 1, maxQueued: 0 } as const;
  const { url, received } = await serveSessions(t, "remembers", options);
  const client = new AbortController();
  // It has a process of its own, as every request of its revision.
  const running = fetch(`${url}/mcp`, { ...modernCall("hold", { key: "k" }), signal: client.signal });
  const isCalled = (): boolean => received.some(({ method }) => method === "tools/call");
  await until(isCalled, { withinMs: WAIT_MS, label: "the only process is taken" });
  const message = call("count", {}, { id: "c" });
  const response = await fetch(`${url}/mcp`, post(message, { accept: "application/json" }));
  const { id, error } = (await response.json()) as Message;
  assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "1"]);
  assert.deepEqual([id, error?.data], ["c", { reason: "overloaded" }]);
  client.abort();
  await assert.rejects(running);
});

test("lines that wait for a server to read on are waited for as one", { skip: CANNOT_STOP }, async (t) => {
  const warnings: string[] = [];
  const note = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const { url, pids, received } = await serveSessions(t, "remembers");
  const client = await connectSse(t, url);
  const [pid = 0] = (await client.call("count"), pids());
  process.kill(pid, "SIGSTOP");
  const text = "x".repeat(MIB / 2);
  for (let lines = 0; lines < 20; lines += 1) await client.send(notification("notifications/any", { text }));
  const isWritten = (): boolean =>
    received.filter(({ method }) => method === "notifications/any").length === 20;
  await until(isWritten, { withinMs: WAIT_MS, label: "all are on their way" });
  process.kill(pid, "SIGCONT");
  assert.equal(textOf(await client.call("count")), "2");
  assert.deepEqual(warnings, []);
});

test("requests that are cancelled count as long as the server may work on them", async (t) => {
  const { url } = await serveSessions(t, "remembers");
  const client = await connectSse(t, url);
  // What is cancelled before there is a process does not reach the server.
  assert.equal(textOf(await client.call("count")), "1");
  for (let first = 0; first < 20_000; first += 100) {
    const ids = Array.from({ length: 100 }, (_, index) => first + index);
    await client.send(ids.map((id) => call("hold", { key: "k" }, { id })));
    await client.send(ids.map((requestId) => notification("notifications/cancelled", { requestId })));
  }
  const { error } = await client.ask(call("count", {}, { id: "c" }));
  assert.match(error?.message ?? "", /Too much is in flight in this session/);
});

describe("an id that has no answer yet", () => {
  test("cannot be used again, and its first request goes on", async (t) => {
    const { url } = await serveSessions(t, "remembers");
    const client = await connectSse(t, url);
    await client.send(call("hold", { key: "k" }, { id: "h" }));
    const again = await client.ask(call("count", {}, { id: "h" }));
    assert.match(again.error?.message ?? "", /Another request with this id has no answer yet/);
    await client.call("release", { key: "k" });
    assert.equal(textOf(await client.take(answering("h"), "the first answer")), "held k");
  });
});

describe("what is kept of a client as long as it is there has a limit:", () => {
  test("what it says of itself", async (t) => {
    const { url, starts } = await serveSessions(t, "remembers");
    const client = await connectSse(t, url);
    const experimental = { list: Array.from({ length: 30_000 }, () => ({})) };
    const refused = await client.initialize({ capabilities: { experimental } });
    assert.match(refused.error?.message ?? "", /initialize has more than 65536 characters/);
    assert.equal(starts(), 0);
    assert.ok((await client.initialize()).result);
  });

  test("its subscriptions", async (t) => {
    const { url } = await serveSessions(t, "remembers");
    const client = await connectSse(t, url);
    const subscribe = async (uri: string): Promise<string | undefined> => {
      const { error } = await client.ask(request("resources/subscribe", { uri }, uri));
      return error?.message;
    };
    // Each at once has a connection of its own, and a system queues only some hundred new ones.
    for (let start = 0; start < 1000; start += 50) {
      const uris = Array.from({ length: 50 }, (_, index) => `test://${start + index}`);
      assert.deepEqual(new Set(await Promise.all(uris.map(subscribe))), new Set([undefined]));
    }
    assert.match((await subscribe("test://another")) ?? "", /A client may have 1000 subscriptions/);
    assert.equal(await subscribe("test://1"), undefined);
    await client.ask(request("resources/unsubscribe", { uri: "test://1" }, "u"));
    assert.match((await subscribe("x".repeat(8193))) ?? "", /up to 8192 characters/);
    assert.equal(await subscribe("test://another"), undefined);
  });
});

describe("onConnect and onClose", () => {
  test("tell of each client once, whichever way it leaves, and not by its session id", async (t) => {
    const [came, left]: [SessionInfo[], SessionInfo[]] = [[], []];
    const { url } = await serveSessions(t, "remembers", {
      sessions: "independent",
      authKeys: ["a key of this test"],
      onConnect: (session) => came.push(session),
      onClose: (session) => left.push(session),
    });
    const headers = { "x-api-key": "a key of this test" };
    const sse = await connectSse(t, url, { headers });
    const streamable = await connectStreamable(t, url, { headers });
    sse.close();
    await streamable.delete();
    await until(() => left.length === 2, { withinMs: WAIT_MS, label: "both have left" });
    assert.deepEqual(
      came.map(({ transport, server }) => [transport, server]),
      [
        ["sse", "only"],
        ["mcp", "only"],
      ],
    );
    const byId = (one: SessionInfo, two: SessionInfo): number => (one.id < two.id ? -1 : 1);
    assert.deepEqual(left.toSorted(byId), came.toSorted(byId));
    const told = JSON.stringify(came);
    for (const secret of [sse.endpoint.search.slice(11), streamable.id.slice(7), "a key"]) {
      assert.ok(!told.includes(secret), `${secret} is in ${told}`);
    }
  });

  test("that throw change nothing", async (t) => {
    const fail = (): never => {
      throw new Error("no place to write");
    };
    const { url } = await serveSessions(t, "remembers", { onConnect: fail, onClose: fail });
    const client = await connectSse(t, url);
    assert.equal(textOf(await client.call("count")), "1");
    client.close();
    assert.equal(textOf(await (await connectSse(t, url)).call("count")), "2");
  });
});

test("a listener may end what it is told about", async (t) => {
  const [came, left]: [SessionInfo[], SessionInfo[]] = [[], []];
  const { url, server, token } = await serveSessions(t, "remembers", {
    onConnect: (session) => {
      came.push(session);
      server.handler.drain();
    },
    onClose: (session) => left.push(session),
  });
  const response = await within(fetch(`${url}/sse`), WAIT_MS, "the stream");
  assert.equal(response.status, 200);
  assert.match(await within(response.text(), WAIT_MS, "the end of the stream"), /^event: endpoint/);
  assert.deepEqual([came.length, left], [1, came]);
  await waitUntilGone(token);
});

test("listeners that reject later are logged, and change nothing", async (t) => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  const lines: string[] = [];
  const fail = (name: string) => (): unknown => Promise.reject(new Error(name));
  const { url } = await serveSessions(t, "remembers", {
    onConnect: fail("onConnect"),
    onClose: fail("onClose"),
    onMessage: fail("onMessage"),
    logger: {
      ...silentLogger,
      error: (fields) => lines.push(String((fields as { readonly err?: unknown }).err)),
    },
  });
  const client = await connectSse(t, url);
  assert.equal(textOf(await client.call("count")), "1");
  client.close();
  for (const name of ["onConnect", "onMessage", "onClose"]) {
    const isLogged = (): boolean => lines.includes(`Error: ${name}`);
    await until(isLogged, { withinMs: WAIT_MS, label: () => `${name} in ${lines.join()}` });
  }
  // They are told of in a later turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});

test("a session that the server refuses is none", async (t) => {
  const { url } = await serveSessions(t, "refuses-initialize", { sessions: "independent" });
  const response = await fetch(`${url}/mcp`, post(initialize()));
  assert.equal(response.headers.get("mcp-session-id"), null);
  assert.ok((await response.text()).includes('"error"'));
});

test("a session for which there is no place left is refused as such, and is none", async (t) => {
  const { url } = await serveSessions(t, "remembers", { sessions: "independent", maxProcesses: 2 });
  const first = await connectStreamable(t, url);
  const response = await within(fetch(`${url}/mcp`, post(initialize({ id: "i" }))), WAIT_MS, "an answer");
  const body = (await response.json()) as { readonly id: unknown; readonly error: { readonly data: object } };
  const heads = ["mcp-session-id", "retry-after"].map((name) => response.headers.get(name));
  assert.deepEqual([response.status, ...heads], [503, null, "1"]);
  assert.deepEqual([body.id, body.error.data], ["i", { reason: "overloaded" }]);
  assert.equal(textOf(await first.call("count")), "1");
});

test("a client without a session that does not read is given up, and others are served", async (t) => {
  const count = 400_000;
  const { url, received, said } = await serveSessions(t, "flood", { sessions: "shared" });
  const unread = await openVisit(url, call("call", { count }, { id: "v" }));
  t.after(() => unread.destroy());
  const isCancelled = (): boolean => received.some(({ method }) => method === "notifications/cancelled");
  await until(isCancelled, { withinMs: WAIT_MS, label: () => `the server knows, after ${said.length}` });
  assert.ok(said.length < count, "it was told all of it");
  const other = call("call", { count: 1 }, { id: "o" });
  const headers = { accept: "application/json" };
  const answer = await within(fetch(`${url}/mcp`, post(other, headers)), WAIT_MS, "an answer");
  assert.equal(textOf(await answerOf(answer, other)), "1");
});

/** A POST without a session, of whose answer nothing is read but the head. */
async function openVisit(url: string, body: object): Promise<IncomingMessage> {
  const { body: text, ...init } = post(body, { accept: "text/event-stream" });
  const response = new Promise<IncomingMessage>((resolve, reject) =>
    send(`${url}/mcp`, init, resolve).once("error", reject).end(text),
  );
  return within(response, WAIT_MS, "the head of the answer");
}
