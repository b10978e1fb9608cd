import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import type { SessionInfo } from "../../lib/index.ts";
import { until, within } from "../support/deadline.ts";
import { modernCall } from "../support/modern.ts";
import { eventIdOf } from "../support/live-stream.ts";
import type { Message } from "../support/live-stream.ts";
import { isAlive, waitUntilGone } from "../support/processes.ts";
import { call, initialize, notification, post, request } from "../support/rpc.ts";
import { memoryOf, pidOf, serveSessions, textOf } from "../support/sessions.ts";
import type { Served, ServedOptions } from "../support/sessions.ts";
import { answering, connectSse, saying } from "../support/sse-client.ts";
import { answerOf, connectStreamable } from "../support/streamable-client.ts";
import type { StreamableClient, StreamableOptions } from "../support/streamable-client.ts";

const WAIT_MS = 10_000;
const ONLY_JSON = { accept: "application/json" };
const ELICIT = {
  method: "elicitation/create",
  params: { message: "Name?", requestedSchema: { type: "object" } },
};
const ANSWER = { action: "accept", content: { name: "Ada" } };
const MODES = ["shared", "independent"] as const;

interface Begun extends Served {
  readonly client: StreamableClient;
}

async function begin(
  t: TestContext,
  name: string,
  options: ServedOptions,
  own: StreamableOptions = {},
): Promise<Begun> {
  const served = await serveSessions(t, name, options);
  return { ...served, client: await connectStreamable(t, served.url, own) };
}

async function statusOf(response: Promise<Response>): Promise<number> {
  const found = await response;
  // It may be a stream that does not end.
  await found.body?.cancel();
  return found.status;
}

function send(url: string, init: RequestInit): Promise<Response> {
  return within(fetch(`${url}/mcp`, init), WAIT_MS, "an answer");
}

for (const sessions of MODES) {
  describe(`a session that is ${sessions}`, () => {
    test("begins with initialize, and keeps its process", async (t) => {
      const { client, starts } = await begin(t, "remembers", { sessions });
      assert.match(client.id, /^mayfly-[\x21-\x7e]{16,}$/);
      assert.equal(client.initialized.result?.["protocolVersion"], "2025-11-25");
      assert.equal(textOf(await client.call("count")), "1");
      assert.equal(textOf(await client.call("count")), "2");
      const { handshakes, initialized } = await memoryOf(client);
      assert.deepEqual([handshakes.length, initialized, starts()], [1, 1, 1]);
    });

    test("offers changes and subscriptions", async (t) => {
      const { client } = await begin(t, "remembers", { sessions });
      const capabilities = client.initialized.result?.["capabilities"] as Readonly<Record<string, unknown>>;
      assert.deepEqual(capabilities["tools"], { listChanged: true });
      assert.deepEqual(capabilities["resources"], { subscribe: true, listChanged: true });
    });

    test("accepts notifications", async (t) => {
      const { client } = await begin(t, "remembers", { sessions });
      const response = await client.post(notification("notifications/roots/list_changed"));
      assert.deepEqual([response.status, await response.text()], [202, ""]);
    });

    test("is 404 when it is not known, and starts nothing then", async (t) => {
      const { url, pids } = await serveSessions(t, "remembers", { sessions });
      const headers = { "mcp-session-id": "mayfly-3f0c3d2e-9d0c-4a57-8a52-0d3b5b6f6a11" };
      assert.equal(await statusOf(send(url, post(call("count"), headers))), 404);
      const accept = "text/event-stream";
      assert.equal(await statusOf(send(url, { headers: { ...headers, accept } })), 404);
      assert.equal(await statusOf(send(url, { method: "DELETE", headers })), 404);
      assert.deepEqual(pids(), []);
    });

    test("has a stream by GET, for whom accepts it and names the session", async (t) => {
      const { client, url } = await begin(t, "remembers", { sessions });
      const stream = await client.listen();
      assert.equal(stream.response.status, 200);
      assert.match(stream.response.headers.get("content-type") ?? "", /^text\/event-stream/);
      assert.equal(await statusOf(client.get({ accept: "application/json" })), 406);
      assert.equal(await statusOf(send(url, { headers: { accept: "text/event-stream" } })), 400);
    });

    test("ends with DELETE", async (t) => {
      const { client } = await begin(t, "remembers", { sessions });
      const stream = await client.listen();
      const response = await client.delete();
      assert.deepEqual([response.status, await response.text()], [204, ""]);
      await stream.ended();
      assert.equal(await statusOf(client.post(call("count"))), 404);
      assert.equal(await statusOf(client.get()), 404);
      assert.equal(await statusOf(client.delete()), 404);
    });

    test("belongs to the key that began it", async (t) => {
      const served = await serveSessions(t, "remembers", { sessions, authKeys: ["k3y", "other"] });
      const client = await connectStreamable(t, served.url, { headers: { "x-api-key": "k3y" } });
      const foreign = { "x-api-key": "other" };
      assert.equal(await statusOf(client.post(call("count"), foreign)), 404);
      assert.equal(await statusOf(client.get(foreign)), 404);
      assert.equal(await statusOf(client.delete(foreign)), 404);
      assert.equal(await statusOf(client.post(call("count"), { "x-api-key": "wrong" })), 401);
      assert.equal(textOf(await client.call("count")), "1");
    });

    test("refuses a revision that does not exist", async (t) => {
      const { client } = await begin(t, "remembers", { sessions });
      const response = client.post(call("count"), { "mcp-protocol-version": "1999-01-01" });
      assert.equal(await statusOf(response), 400);
    });

    test("answers with JSON whom accepts nothing else", async (t) => {
      const { client } = await begin(t, "talks-on-demand", { sessions });
      const asked = call("progress", { steps: 3 }, { id: "j", meta: { progressToken: 1 } });
      const response = await client.post(asked, ONLY_JSON);
      assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
      assert.equal(textOf(await answerOf(response, asked)), "3 steps");
    });

    test("answers with a stream of events that have ids, the first of them empty", async (t) => {
      const { client } = await begin(t, "talks-on-demand", { sessions });
      const asked = call("progress", { steps: 3 }, { id: "s", meta: { progressToken: "t" } });
      const stream = await client.stream(asked);
      assert.equal(textOf(await stream.take(answering("s"), "the answer")), "3 steps");
      await stream.ended();
      const [priming, ...events] = stream.frames;
      assert.equal(priming?.data, "");
      assert.equal(stream.messages.filter(saying("notifications/progress")).length, 3);
      assert.deepEqual([events.length, stream.eventIds().length], [4, 5]);
      const other = await client.stream(call("count", {}, { id: "other" }));
      await other.ended();
      const ids = [...stream.eventIds(), ...other.eventIds()];
      assert.equal(new Set(ids).size, ids.length, "an id names one event in the whole session");
    });

    test("sends no empty event to clients of the revisions that do not know it", async (t) => {
      const { client } = await begin(t, "talks-on-demand", { sessions }, { protocolVersion: "2025-06-18" });
      const stream = await client.stream(
        call("progress", { steps: 1 }, { id: "s", meta: { progressToken: 1 } }),
      );
      await stream.ended();
      assert.deepEqual(
        stream.frames.filter(({ data }) => data === ""),
        [],
      );
      assert.equal(stream.messages.length, 2);
    });

    test("carries a question on the stream of the request in flight", async (t) => {
      const { client } = await begin(
        t,
        "asks-on-demand",
        { sessions },
        { capabilities: { elicitation: {} } },
      );
      const standalone = await client.listen();
      const stream = await client.stream(call("ask", ELICIT, { id: 1 }));
      const { id } = await stream.take(saying(ELICIT.method), "the question");
      await client.send({ jsonrpc: "2.0", id, result: ANSWER });
      const answer = await stream.take(answering(1), "the answer to the call");
      assert.deepEqual(JSON.parse(textOf(answer)).result, ANSWER);
      assert.deepEqual(standalone.messages, []);
    });

    test("carries other questions on the standalone stream", async (t) => {
      const { client } = await begin(
        t,
        "asks-on-demand",
        { sessions },
        { capabilities: { elicitation: {} } },
      );
      const standalone = await client.listen();
      await client.call("askLater", ELICIT);
      const { id } = await standalone.take(saying(ELICIT.method), "the question");
      await client.send({ jsonrpc: "2.0", id, result: ANSWER });
      const answers = async (): Promise<readonly Message[]> =>
        JSON.parse(textOf(await client.call("answers")));
      const [first] = await until(async () => (await answers()).length > 0 && answers(), {
        withinMs: WAIT_MS,
        label: "the answer has come",
      });
      assert.deepEqual(first?.result, ANSWER);
    });

    test("carries changes on the standalone stream, each once", async (t) => {
      const { client } = await begin(t, "talks-on-demand", { sessions });
      const standalone = await client.listen();
      const changed = "notifications/tools/list_changed";
      await client.ask(request("resources/subscribe", { uri: "test://one" }, "s"));
      const updated = { method: "notifications/resources/updated", params: { uri: "test://one" } };
      await client.call("tellLater", { notifications: [{ method: changed }, updated] });
      await standalone.take(saying(changed), "the change of a list");
      await standalone.take(saying(updated.method), "the change of a resource");
      assert.equal(standalone.messages.length, 2);
    });

    test("expires when it is not used", async (t) => {
      const { client, url } = await begin(t, "remembers", { sessions, sessionIdleMs: 1000, heartbeatMs: 40 });
      await client.call("count");
      const clock = await connectSse(t, url);
      // Every look is use: there must be more than the limit between two of them.
      const isGone = async (): Promise<boolean> => {
        const next = clock.comments() + 30;
        await until(() => clock.comments() >= next, { withinMs: WAIT_MS, label: "time has passed" });
        return (await statusOf(client.post(request("ping")))) === 404;
      };
      await until(isGone, { withinMs: WAIT_MS, label: "the session is over" });
    });

    test("ends soon after the stream of its client is cut, unless that comes back", async (t) => {
      const closed: SessionInfo[] = [];
      const onClose = (session: SessionInfo): void => void closed.push(session);
      const { client, url, pids } = await begin(t, "remembers", { sessions, onClose });
      await client.call("count");
      const first = await client.listen();
      first.close();
      const second = await client.listen(first.eventIds().at(-1));
      assert.equal(textOf(await client.call("count")), "2");
      second.close();
      await until(() => closed.length === 1, { withinMs: WAIT_MS, label: "the session ends" });
      if (sessions === "independent")
        await until(() => pids().length === 0, { withinMs: WAIT_MS, label: "its process is gone" });
      assert.equal((await client.get()).status, 404);
      assert.equal((await fetch(`${url}/health`)).status, 200);
    });

    test("keeps what its client has asked for when its stream is cut", async (t) => {
      const { client, said } = await begin(t, "progress", { sessions, sessionResumeMs: 1 });
      const stream = await client.stream(
        call("progress", { steps: 3, delayMs: 100 }, { id: "p", meta: { progressToken: 1 } }),
      );
      await stream.take(saying("notifications/progress"), "the first progress");
      // Not the last one that has come, which on a busy machine may be the answer.
      const first = stream.frames.find(({ data }) => data?.includes("notifications/progress"));
      const id = first && eventIdOf(first);
      stream.close();
      const isSaid = (): boolean =>
        said.some((message) => "result" in message && "content" in Object(message.result));
      await until(isSaid, { withinMs: WAIT_MS, label: "the answer is there" });
      const rest = await client.listen(id);
      assert.equal(textOf(await rest.take(answering("p"), "the answer")), "3 steps done");
    });

    test("does not expire while its stream is open or a request is in flight", async (t) => {
      const options = { sessions, sessionIdleMs: 1000, keepAliveMs: 50, heartbeatMs: 50, streamAfterMs: 10 };
      const { client } = await begin(t, "remembers", options);
      const stream = await client.stream(call("hold", { key: "k" }, { id: "h" }));
      await until(() => stream.comments() > 25, { withinMs: WAIT_MS, label: "some time has passed" });
      await client.call("release", { key: "k" });
      assert.equal(textOf(await stream.take(answering("h"), "the answer")), "held k");
      const standalone = await client.listen();
      await until(() => standalone.comments() > 25, { withinMs: WAIT_MS, label: "more time has passed" });
      assert.equal(textOf(await client.call("count")), "1");
    });

    test("fails a call whose process ends, and goes on with another one", async (t) => {
      const { client } = await begin(t, "remembers", { sessions });
      const pid = await pidOf(client);
      const { error } = await client.call("die");
      assert.deepEqual([error?.code, error?.data?.["reason"]], [-32603, "exited"]);
      assert.equal(textOf(await client.call("count")), "1");
      assert.notEqual(await pidOf(client), pid);
    });

    test("cancels a request by a notification", async (t) => {
      const { client, received } = await begin(t, "remembers", { sessions });
      const stream = await client.stream(call("hold", { key: "k" }, { id: "h" }));
      const isHeld = (): boolean => received.some(({ params }) => params?.["name"] === "hold");
      await until(isHeld, { withinMs: WAIT_MS, label: "the server holds the call" });
      await client.send(notification("notifications/cancelled", { requestId: "h" }));
      const isCancelled = async (): Promise<boolean> => (await memoryOf(client)).cancelled.length > 0;
      await until(isCancelled, { withinMs: WAIT_MS, label: "the server knows" });
      const { calls, cancelled } = await memoryOf(client);
      assert.deepEqual(cancelled, [calls.find(({ name }) => name === "hold")?.id]);
      await stream.ended();
    });

    test("does not hold up modern requests, which have a process of their own", async (t) => {
      const { client, url, pids } = await begin(t, "remembers", { sessions });
      const kept = await pidOf(client);
      const asked = modernCall("memory", {}, { headers: { "mcp-session-id": client.id } });
      const answer = await answerOf(await send(url, asked), { id: 1 });
      assert.equal(answer.result?.["resultType"], "complete");
      const { pid } = JSON.parse(textOf(answer)) as { pid: number };
      assert.notEqual(pid, kept);
      await until(() => !isAlive(pid), { withinMs: WAIT_MS, label: "its process has ended" });
      assert.deepEqual(pids(), [kept]);
    });
  });
}

describe("sessions that share a process", () => {
  test("have one for all, which the end of one of them does not end", async (t) => {
    const { client, url, pids } = await begin(t, "remembers", { sessions: "shared" });
    const other = await connectStreamable(t, url);
    assert.notEqual(other.id, client.id);
    assert.equal(textOf(await client.call("count")), "1");
    assert.equal(textOf(await other.call("count")), "2");
    assert.equal(await statusOf(client.delete()), 204);
    assert.equal(textOf(await other.call("count")), "3");
    assert.equal(pids().length, 1);
  });

  test("serve requests without a session by the same process", async (t) => {
    const { client, url, pids } = await begin(t, "remembers", { sessions: "shared" });
    assert.equal(textOf(await client.call("count")), "1");
    const answer = await answerOf(await send(url, post(call("count"))), { id: 1 });
    assert.equal(textOf(answer), "2");
    assert.equal(pids().length, 1);
  });

  test("answer requests without a session in JSON, whatever the server tells everybody meanwhile", async (t) => {
    const { url } = await serveSessions(t, "talks-on-demand", { sessions: "shared" });
    const changed = { method: "notifications/tools/list_changed" };
    const response = await send(url, post(call("tell", { notifications: [changed] })));
    assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
    assert.equal(textOf(await answerOf(response, { id: 1 })), "told");
    const log = { method: "notifications/message", params: { level: "info", data: "hello" } };
    const events = await (await send(url, post(call("tell", { notifications: [changed, log] })))).text();
    assert.deepEqual(events.match(/notifications\/[a-z_/]+/g), ["notifications/message"]);
  });

  test("cancel what is left of a batch when its client goes, also after the first answer", async (t) => {
    const { url, received } = await serveSessions(t, "remembers", { sessions: "shared" });
    const leaving = new AbortController();
    const batch = [call("count", {}, { id: 1 }), call("hold", { key: "k" }, { id: 2 })];
    const headers = { "mcp-protocol-version": "2025-03-26", accept: "application/json" };
    const asked = fetch(`${url}/mcp`, { ...post(batch, headers), signal: leaving.signal });
    const other = await connectStreamable(t, url);
    // It comes behind both.
    assert.equal(textOf(await other.call("count")), "2");
    leaving.abort();
    await assert.rejects(asked);
    const isCancelled = (): boolean => received.some(({ method }) => method === "notifications/cancelled");
    await until(isCancelled, { withinMs: WAIT_MS, label: "the server hears of it" });
  });

  test("take no variables from a URL", async (t) => {
    const { url, pids } = await serveSessions(t, "environment", {
      sessions: "shared",
      allowEnv: ["GREETING"],
    });
    const target = new URL("/mcp?GREETING=hello", url);
    for (const body of [initialize(), call("environment")]) {
      assert.equal(await statusOf(within(fetch(target, post(body)), WAIT_MS, "an answer")), 400, body.method);
    }
    assert.deepEqual(pids(), []);
  });

  test("answer each client in its own revision", async (t) => {
    const { client, url } = await begin(t, "remembers", { sessions: "shared" });
    const older = await connectStreamable(t, url, { protocolVersion: "2025-03-26" });
    assert.equal(older.initialized.result?.["protocolVersion"], "2025-03-26");
    assert.equal(client.initialized.result?.["protocolVersion"], "2025-11-25");
  });

  test("keep equal ids and tokens apart", async (t) => {
    const { client, url } = await begin(t, "talks-on-demand", { sessions: "shared" });
    const other = await connectStreamable(t, url);
    const streams = await Promise.all(
      [client, other].map((one, index) =>
        one.stream(
          call("progress", { steps: index + 1, key: String(index) }, { id: 1, meta: { progressToken: 1 } }),
        ),
      ),
    );
    for (const [index, stream] of streams.entries()) {
      await stream.take(({ params }) => params?.["progress"] === index + 1, "the last progress");
    }
    for (const key of ["1", "0"]) await other.call("release", { key });
    for (const [index, stream] of streams.entries()) {
      assert.equal(textOf(await stream.take(answering(1), "the answer")), `${index + 1} steps`);
      const progress = stream.messages.filter(saying("notifications/progress"));
      assert.deepEqual(
        progress.map(({ params }) => params?.["total"]),
        progress.map(() => index + 1),
      );
      assert.equal(progress.length, index + 1);
    }
  });

  test("tell a change to all of them", async (t) => {
    const { client, url } = await begin(t, "talks-on-demand", { sessions: "shared" });
    const other = await connectStreamable(t, url);
    const streams = [await client.listen(), await other.listen()];
    const method = "notifications/tools/list_changed";
    await client.call("tell", { notifications: [{ method }] });
    for (const stream of streams) await stream.take(saying(method), "the change");
  });
});

describe("sessions with a process each", () => {
  test("do not see each other, and their processes end with them", async (t) => {
    const { client, url, token, pids } = await begin(t, "remembers", { sessions: "independent" });
    const other = await connectStreamable(t, url);
    assert.equal(textOf(await client.call("count")), "1");
    assert.equal(textOf(await other.call("count")), "1");
    const [pid, kept] = [await pidOf(client), await pidOf(other)];
    assert.equal(await statusOf(client.delete()), 204);
    await until(() => !isAlive(pid), { withinMs: 1000, label: "the process of the session has ended" });
    assert.deepEqual(pids(), [kept]);
    assert.equal(await statusOf(other.delete()), 204);
    await waitUntilGone(token);
  });

  test("leave requests without a session a process of their own", async (t) => {
    const { client, url, pids } = await begin(t, "remembers", { sessions: "independent" });
    const kept = await pidOf(client);
    for (let round = 0; round < 2; round++) {
      const answer = await answerOf(await send(url, post(call("count"))), { id: 1 });
      assert.equal(textOf(answer), "1");
    }
    await until(() => pids().length === 1, {
      withinMs: WAIT_MS,
      label: "only the session's process is left",
    });
    assert.deepEqual(pids(), [kept]);
  });

  test("end their processes when they expire", async (t) => {
    const options = { sessions: "independent", sessionIdleMs: 1000 } as const;
    const { client, token } = await begin(t, "remembers", options);
    await waitUntilGone(token, { withinMs: WAIT_MS });
    assert.equal(await statusOf(client.post(call("count"))), 404);
  });

  test("have the variables of the URL that began them", async (t) => {
    const options = { sessions: "independent", allowEnv: ["GREETING"] } as const;
    const { client } = await begin(t, "environment", options, { path: "/mcp?GREETING=hello" });
    const { env } = JSON.parse(textOf(await client.call("environment")));
    assert.equal(env.GREETING, "hello");
  });
});

describe("without sessions", () => {
  test("there is no stream by GET, and nothing to end", async (t) => {
    const { client, url, pids } = await begin(t, "remembers", { sessions: "none" });
    assert.doesNotMatch(client.id, /^mayfly-/);
    assert.equal(textOf(await client.call("count")), "1");
    assert.equal(textOf(await client.call("count")), "1");
    for (const method of ["GET", "DELETE"]) {
      const response = await send(url, { method, headers: { accept: "text/event-stream" } });
      assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"]);
      await response.text();
    }
    await until(() => pids().length === 0, { withinMs: WAIT_MS, label: "no process is left" });
  });
});
