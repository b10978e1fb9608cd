import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { InitializeRefused } from "../../../lib/connect/remote.ts";
import type { RemoteSession } from "../../../lib/connect/remote.ts";
import { openStreamable } from "../../../lib/connect/sessions/streamable.ts";
import type { MayflyError } from "../../../lib/errors.ts";
import type { Message, NotificationValue, RequestValue } from "../../../lib/jsonrpc.ts";
import { until, within } from "../../support/deadline.ts";
import {
  accept,
  event,
  greets,
  initializeResult,
  json,
  message,
  remoteServer,
  result,
  stream,
  targetOf,
} from "../../support/remote-server.ts";
import type { RemoteServer, Seen } from "../../support/remote-server.ts";
import { call, initialize, notification } from "../../support/rpc.ts";

const NEVER = new AbortController().signal;
const INITIALIZED = message<NotificationValue>(notification("notifications/initialized"));

interface Opened {
  readonly session: RemoteSession;
  readonly heard: { message: Message; about: Message<RequestValue> | undefined }[];
  readonly failed: { request: Message<RequestValue>; error: MayflyError }[];
  readonly lost: MayflyError[];
  /** The answer to a request, once it is there. */
  readonly answer: (id: number) => Promise<Message>;
}

async function open(t: TestContext, { url }: RemoteServer, version?: string): Promise<Opened> {
  const [heard, failed, lost]: [Opened["heard"], Opened["failed"], Opened["lost"]] = [[], [], []];
  const target = await targetOf(t, url);
  const first = message(initialize(version === undefined ? {} : { protocolVersion: version }));
  const session = await openStreamable(
    target,
    first,
    {
      message: (message, about) => void heard.push({ message, about }),
      failed: (request, error) => void failed.push({ request, error }),
      lost: (error) => void lost.push(error),
    },
    NEVER,
  );
  t.after(() => session.close());
  return {
    ...{ session, heard, failed, lost },
    answer: (id) =>
      until(
        () =>
          heard.find(({ message: { value } }) => !("method" in value) && (value as RequestValue).id === id)
            ?.message,
        {
          withinMs: 5000,
          label: () => `the answer to ${id}; failed: ${failed.map(({ error }) => error.message).join()}`,
        },
      ),
  };
}

const ask = (id: number, name = "tool"): Message<RequestValue> => message(call(name, {}, { id }));

test("the words of a server that refuses the handshake are masked before they are cut, and printable", async (t) => {
  const secret = "secret-of-many-characters";
  const words = `${"x".repeat(190)}${secret}`;
  for (const [said, expected] of [
    [words, `${"x".repeat(190)}***`],
    ["\u009b31m\u202ered", "?31m?red"],
  ] as const) {
    const server = await remoteServer(t, (seen) =>
      json(seen, { jsonrpc: "2.0", id: seen.body.id, error: { code: -32600, message: said } }),
    );
    const target = await targetOf(t, server.url, { "x-api-key": secret });
    const events = { message: () => undefined, failed: () => undefined, lost: () => undefined };
    await rejects(openStreamable(target, message(initialize()), events, NEVER), (error: unknown) => {
      ok(error instanceof InitializeRefused);
      equal(error.failure.message, `The remote server refused initialize: HTTP 200: ${expected}`);
      return true;
    });
  }
});

test("the session id and the agreed version go with every request, also with the DELETE at the end", async (t) => {
  const id = `~!${"x".repeat(3000)}`;
  const server = await remoteServer(t, (seen) => {
    if (greets(seen, id)) return;
    if (seen.method !== "POST") return void seen.response.writeHead(405).end();
    json(seen, result(seen.body.id));
  });
  const { session, answer } = await open(t, server);
  await session.send(INITIALIZED);
  await session.send(ask(7));
  await answer(7);
  await server.take("GET");
  await session.close();
  const [first, ...rest] = server.seen;
  equal(first?.headers["mcp-session-id"], undefined);
  equal(first?.headers["mcp-protocol-version"], undefined);
  deepEqual(rest.map(({ method }) => method).toSorted(), ["DELETE", "GET", "POST", "POST"]);
  ok(rest.every(({ headers }) => headers["mcp-session-id"] === id));
  ok(rest.every(({ headers }) => headers["mcp-protocol-version"] === "2025-11-25"));
});

test("a JSON-RPC error, another status and a bad session id refuse the handshake", async (t) => {
  const answers: ((seen: Seen) => void)[] = [
    (seen) => json(seen, { jsonrpc: "2.0", id: seen.body.id, error: { code: -32022, message: "too old" } }),
    (seen) => void seen.response.writeHead(405).end(),
    (seen) => json(seen, initializeResult(seen.body.id), 200, { "mcp-session-id": "with space" }),
    (seen) => json(seen, { jsonrpc: "2.0", id: null, error: { code: -32000, message: "no" } }, 400),
  ];
  const server = await remoteServer(t, (seen) => {
    if (seen.method === "POST") answers.shift()?.(seen);
  });
  for (const [status, code] of [
    [200, -32022],
    [405, undefined],
    [200, undefined],
    [400, -32000],
  ]) {
    await rejects(open(t, server), (error) => {
      ok(error instanceof InitializeRefused);
      equal(error.status, status);
      equal((error.answer?.value.error as { code?: number } | undefined)?.code, code);
      return true;
    });
  }
});

test("a stream that is cut before the answer is gone on with from its last event, as often as it takes", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    const { body, method, headers, response } = seen;
    if (method === "DELETE") return void response.writeHead(200).end();
    if (body.method === "tools/call") {
      stream(seen);
      event(seen, undefined, { id: "a", retry: 20 });
      event(seen, notification("notifications/progress", { n: 1 }), { id: "b" });
      response.end();
    } else if (headers["last-event-id"] === "b") {
      stream(seen);
      event(seen, notification("notifications/progress", { n: 2 }), { id: "c" });
      setImmediate(() => response.destroy());
    } else if (headers["last-event-id"] === "c") {
      stream(seen);
      event(seen, result(7, { done: true }), { id: "d" });
      response.end();
    } else response.writeHead(405).end();
  });
  const { session, answer, heard, failed } = await open(t, server);
  const request = ask(7);
  await session.send(request);
  equal((await answer(7)).text, JSON.stringify(result(7, { done: true })));
  deepEqual(failed, []);
  ok(heard.every(({ about }) => about === request));
  equal(heard.length, 3);
  equal(server.of("tools/call").length, 1);
  const [cut, again] = [server.of("tools/call")[0], server.of("GET")[0]];
  ok((again?.at ?? 0) - (cut?.at ?? 0) >= 20, "it waits as long as the server has said");
});

test("a stream without event ids that is cut before the answer loses the request, and it alone", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    if (seen.method !== "POST") return void seen.response.writeHead(405).end();
    if (seen.body.params.name === "whole") return json(seen, result(seen.body.id));
    stream(seen);
    event(seen, notification("notifications/progress", {}));
    setImmediate(() => seen.response.destroy());
  });
  const { session, answer, failed, lost } = await open(t, server);
  await session.send(ask(7));
  const failure = await until(() => failed[0], { withinMs: 5000, label: "the failure" });
  equal(failure.error.code, "REMOTE_LOST");
  match(failure.error.message, /tools\/call, which it may have carried out/);
  await session.send(ask(8, "whole"));
  await answer(8);
  deepEqual(lost, []);
});

test("a stream that cannot be gone on with, whatever its ids say, loses its request", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    if (seen.method !== "POST") return void seen.response.writeHead(405).end();
    stream(seen);
    event(seen, undefined, { id: "a", retry: 0 });
    seen.response.end();
  });
  const { session, failed, lost } = await open(t, server);
  await session.send(ask(7));
  const failure = await until(() => failed[0], { withinMs: 5000, label: "the failure" });
  equal(failure.error.code, "REMOTE_LOST");
  equal(server.of("GET").length, 1);
  deepEqual(lost, []);
});

test("the server's own stream is opened after the handshake, and again from its last event", async (t) => {
  const server = await remoteServer(t, (seen, { of }) => {
    if (greets(seen)) return;
    if (seen.method === "DELETE") return void seen.response.writeHead(200).end();
    stream(seen);
    const count = of("GET").length;
    event(seen, notification("notifications/tools/list_changed", { count }), { id: `é${count}`, retry: 10 });
    if (count < 3) setImmediate(() => seen.response.destroy());
  });
  const { session, heard } = await open(t, server);
  equal(session.isKept(), false);
  equal(server.of("GET").length, 0);
  await session.send(INITIALIZED);
  await until(() => heard.length === 3, { withinMs: 5000, label: "three messages" });
  equal(session.isKept(), true);
  const ids = server.of("GET").map(({ headers }) => headers["last-event-id"]);
  deepEqual(
    ids.map((id) => id && Buffer.from(String(id), "latin1").toString()),
    [undefined, "é1", "é2"],
  );
  ok(heard.every(({ about }) => about === undefined));
});

const FORGOTTEN: Record<string, (seen: Seen) => void> = {
  "404": (seen: Seen) =>
    json(seen, { jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } }, 404),
  "404 without a word": (seen: Seen) => void seen.response.writeHead(404).end(),
  "400 in the words of server-everything": (seen: Seen) =>
    json(
      seen,
      { jsonrpc: "2.0", error: { code: -32000, message: "Bad Request: No valid session ID provided" } },
      400,
    ),
  "400 in the words of a fresh SDK server": (seen: Seen) =>
    json(
      seen,
      { jsonrpc: "2.0", error: { code: -32000, message: "Bad Request: Server not initialized" }, id: null },
      400,
    ),
};

for (const [title, refuse] of Object.entries(FORGOTTEN)) {
  test(`a session that is forgotten (${title}) is lost, and what was refused was not carried out`, async (t) => {
    const server = await remoteServer(t, (seen) => {
      if (greets(seen)) return;
      refuse(seen);
    });
    const { session, failed, lost } = await open(t, server);
    await Promise.all([session.send(ask(1)), session.send(ask(2)), session.send(ask(3))]);
    await until(() => lost.length > 0, { withinMs: 5000, label: "the loss" });
    deepEqual(
      failed.map(({ error }) => error.code),
      ["REMOTE_SESSION_LOST", "REMOTE_SESSION_LOST", "REMOTE_SESSION_LOST"],
    );
    equal(lost.length, 1);
    await session.close();
    equal(server.of("DELETE").length, 0, "what is forgotten is not given back");
  });
}

test("400 about the params, and 404 about the method or the resource, are answers", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    if (seen.method !== "POST") return void seen.response.writeHead(405).end();
    const code = [0, -32602, -32601, -32002][Number(seen.body.id)];
    const error = { code, message: "no such session" };
    json(seen, { jsonrpc: "2.0", id: seen.body.id, error }, code === -32602 ? 400 : 404);
  });
  const { session, answer, lost } = await open(t, server);
  for (const id of [1, 2, 3]) {
    await session.send(ask(id));
    match((await answer(id)).text, /no such session/);
  }
  deepEqual(lost, []);
});

test("a 404 to the first GET is of a server that has no stream, and no loss", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    if (seen.method !== "POST") return void seen.response.writeHead(404).end("Cannot GET /mcp");
    json(seen, result(seen.body.id));
  });
  const { session, answer, lost } = await open(t, server);
  await session.send(INITIALIZED);
  await server.take("GET");
  await until(() => !session.isKept(), { withinMs: 5000, label: "no stream" });
  await session.send(ask(1));
  await answer(1);
  deepEqual(lost, []);
});

test("a slow tool holds nothing up, and its cancellation comes after it", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    if (seen.method !== "POST") return void seen.response.writeHead(405).end();
    if (seen.body.method === "notifications/cancelled") return accept(seen);
    if (seen.body.params.name !== "slow") json(seen, result(seen.body.id));
  });
  const { session, answer, failed } = await open(t, server);
  const slow = message(call("slow", { text: "x".repeat(500_000) }, { id: 1 }));
  await within(session.send(slow), 2000, "a slow tool");
  await within(session.send(ask(2)), 2000, "another one");
  await answer(2);
  const [next, order] = [message(call("slow", { text: "x".repeat(500_000) }, { id: 3 })), [] as unknown[]];
  const cancelled = message<NotificationValue>(notification("notifications/cancelled", { requestId: 3 }));
  await Promise.all([session.send(next), session.send(cancelled)]);
  order.push(...server.seen.slice(-2).map(({ body }) => body.method));
  deepEqual(order, ["tools/call", "notifications/cancelled"]);
  session.abandon(slow);
  session.abandon(next);
  await until(() => server.open() === 0, { withinMs: 5000, label: "closed streams" });
  deepEqual(failed, []);
});

test("the stream is asked for again as soon as the server takes a request, after it was away", async (t) => {
  t.mock.method(Math, "random", () => 0);
  let isAway = false;
  const server = await remoteServer(t, (seen, { of }) => {
    if (greets(seen)) return;
    if (seen.method === "DELETE") return void seen.response.writeHead(200).end();
    if (seen.method === "POST") return json(seen, result(seen.body.id));
    if (isAway) return void seen.response.writeHead(503).end();
    stream(seen);
    if (of("GET").length > 1) event(seen, notification("notifications/tools/list_changed"));
  });
  const { session, heard } = await open(t, server);
  await session.send(INITIALIZED);
  const first = await server.take("GET");
  isAway = true;
  first.response.destroy();
  // After that many the next pause is a second.
  const last = await server.take("GET", 3);
  isAway = false;
  await until(
    async () => {
      await session.send(ask(1));
      return heard.some(({ message: { value } }) => "method" in value);
    },
    { withinMs: 5000, label: "the stream" },
  );
  ok(performance.now() - last.at < 800, "before the pause is over");
});

test("close ends all that is open, and waits for no server that does not take the session back", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    if (seen.method === "DELETE") return;
    stream(seen);
  });
  const { session, failed, lost, heard } = await open(t, server);
  await session.send(INITIALIZED);
  await session.send(ask(1));
  await server.take("GET");
  await within(session.close(), 1500, "close");
  await until(() => server.open() === 0, { withinMs: 5000, label: "closed requests" });
  deepEqual([failed, lost, heard], [[], [], []]);
});

test("an answer on another stream than its own is the answer", async (t) => {
  const server = await remoteServer(t, async (seen, { take }) => {
    if (greets(seen)) return;
    if (seen.method === "DELETE") return void seen.response.writeHead(200).end();
    stream(seen);
    if (seen.method === "GET") event(seen, result((await take("tools/call")).body.id));
  });
  const { session, answer, failed } = await open(t, server);
  await session.send(INITIALIZED);
  await session.send(ask(1));
  await answer(1);
  await until(() => server.open() === 1, { withinMs: 5000, label: "the stream of the request is closed" });
  deepEqual(failed, []);
});
