import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { openHttpSse } from "../../../lib/connect/sessions/http-sse.ts";
import { InitializeRefused } from "../../../lib/connect/remote.ts";
import type { RemoteSession } from "../../../lib/connect/remote.ts";
import type { MayflyError } from "../../../lib/errors.ts";
import type { Message, RequestValue } from "../../../lib/jsonrpc.ts";
import { until, within } from "../../support/deadline.ts";
import {
  accept,
  event,
  initializeResult,
  message,
  remoteServer,
  result,
  stream,
  targetOf,
} from "../../support/remote-server.ts";
import type { RemoteServer, Seen } from "../../support/remote-server.ts";
import { call, initialize, notification } from "../../support/rpc.ts";

const NEVER = new AbortController().signal;

interface Opened {
  readonly session: RemoteSession;
  readonly heard: Message[];
  readonly failed: MayflyError[];
  readonly lost: MayflyError[];
}

async function open(
  t: TestContext,
  { url }: RemoteServer,
  headers: Record<string, string> = {},
  signal = NEVER,
): Promise<Opened> {
  const [heard, failed, lost]: [Message[], MayflyError[], MayflyError[]] = [[], [], []];
  const target = await targetOf(t, url, headers);
  const session = await openHttpSse(
    target,
    message(initialize({ protocolVersion: "2024-11-05" })),
    {
      message: (message) => void heard.push(message),
      failed: (_request, error) => void failed.push(error),
      lost: (error) => void lost.push(error),
    },
    signal,
  );
  t.after(() => session.close());
  return { session, heard, failed, lost };
}

/** Answers the handshake. @returns whether it was that */
function greets(seen: Seen, { of }: RemoteServer, endpoint = "/messages?session=1"): boolean {
  if (seen.method === "GET") {
    stream(seen);
    event(seen, endpoint, { type: "endpoint" });
    return true;
  }
  if (seen.body.method !== "initialize") return false;
  accept(seen);
  const [opened] = of("GET");
  if (opened) event(opened, initializeResult(seen.body.id));
  return true;
}

const ask = (id: number): Message<RequestValue> => message(call("tool", {}, { id }));

test("messages go to the endpoint, and what comes of them comes on the stream", async (t) => {
  const server = await remoteServer(t, (seen, server) => {
    if (greets(seen, server)) return;
    seen.response.writeHead(seen.body.id === 2 ? 200 : 202).end("Accepted");
    const [opened] = server.of("GET");
    if (opened && seen.body.id !== undefined)
      event(opened, result(seen.body.id, { big: "é".repeat(100_000) }));
  });
  const { session, heard, failed, lost } = await open(t, server, { "x-api-key": "secret-key" });
  equal(JSON.parse(session.answer.text).result.protocolVersion, "2025-11-25");
  await session.send(message(notification("notifications/initialized")));
  await session.send(ask(1));
  await session.send(ask(2));
  await until(() => heard.length === 2, { withinMs: 5000, label: "two answers" });
  ok(server.seen.every(({ headers }) => headers["x-api-key"] === "secret-key"));
  deepEqual(
    server.seen.map(({ path }) => path),
    ["/mcp", ...Array<string>(4).fill("/messages?session=1")],
  );
  equal(session.isKept(), true);
  await session.close();
  await until(() => server.open() === 0, { withinMs: 5000, label: "the end of the stream" });
  deepEqual([failed, lost], [[], []]);
});

test("an endpoint may be absolute, and an endpoint of another origin gets nothing", async (t) => {
  const stranger = await remoteServer(t, accept);
  let endpoint = "";
  const server = await remoteServer(t, (seen, server) => void greets(seen, server, endpoint));
  endpoint = new URL("/there", server.url).href;
  await open(t, server);
  endpoint = stranger.url.href;
  await rejects(open(t, server), (error) => {
    ok(error instanceof InitializeRefused);
    match(error.message, /an endpoint of another origin, http:\/\/127/);
    return true;
  });
  equal(stranger.seen.length, 0);
  await until(() => server.open() <= 1, { withinMs: 5000, label: "the refused stream is closed" });
});

test("what is no event stream refuses the handshake", async (t) => {
  const server = await remoteServer(t, ({ response }) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<html>");
  });
  await rejects(open(t, server), /something else than an event stream/);
  const missing = await remoteServer(t, ({ response }) => void response.writeHead(404).end());
  await rejects(open(t, missing), (error) => error instanceof InitializeRefused && error.status === 404);
});

test("a stream that ends is the end of the session", async (t) => {
  const server = await remoteServer(t, (seen, server) => {
    if (greets(seen, server)) return;
    accept(seen);
    server.of("GET")[0]?.response.destroy();
  });
  const { session, lost } = await open(t, server);
  await session.send(ask(1));
  await until(() => lost.length > 0, { withinMs: 5000, label: "the loss" });
  deepEqual(
    lost.map(({ code }) => code),
    ["REMOTE_LOST"],
  );
});

test("a POST for a session that is not known is the end of it, and was not carried out", async (t) => {
  const server = await remoteServer(t, (seen, server) => {
    if (!greets(seen, server)) seen.response.writeHead(404).end("Could not find session");
  });
  const { session, failed, lost } = await open(t, server);
  await session.send(ask(1));
  await until(() => lost.length > 0, { withinMs: 5000, label: "the loss" });
  equal(failed[0]?.code, "REMOTE_SESSION_LOST");
});

test("a POST that is never answered holds up no request", async (t) => {
  const server = await remoteServer(t, (seen, server) => {
    if (greets(seen, server)) return;
    const [opened] = server.of("GET");
    if (opened) event(opened, result(seen.body.id));
  });
  const { session, heard } = await open(t, server);
  await within(session.send(ask(1)), 900, "the first");
  await within(session.send(ask(2)), 900, "the second");
  await until(() => heard.length === 2, { withinMs: 5000, label: "both answers" });
});

test("whoever opens it can end that, where nothing answers", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (seen.method !== "GET") return accept(seen);
    stream(seen);
    event(seen, "/messages", { type: "endpoint" });
  });
  const leaving = new AbortController();
  const opening = open(t, server, {}, leaving.signal);
  await server.take("initialize");
  leaving.abort(new Error("enough"));
  await rejects(within(opening, 1000, "the end of the opening"), /enough/);
  await until(() => server.open() === 0, { withinMs: 5000, label: "the end of the stream" });
});

test("a message over the limit is the end of the session, and says so", async (t) => {
  const server = await remoteServer(t, (seen, server) => {
    if (greets(seen, server)) return;
    accept(seen);
    const [opened] = server.of("GET");
    if (opened) event(opened, result(seen.body.id, { big: "x".repeat(1024 * 1024) }));
  });
  const { session, lost } = await open(t, server);
  await session.send(ask(1));
  await until(() => lost.length > 0, { withinMs: 5000, label: "the loss" });
  equal(lost[0]?.code, "REMOTE_MESSAGE_TOO_LARGE");
});

test("what comes before the answer to initialize is heard, and waits for nobody", async (t) => {
  const server = await remoteServer(t, (seen, server) => {
    const [opened] = server.of("GET");
    if (opened && seen.body.method === "initialize") {
      event(opened, notification("notifications/message", { data: "hello" }));
    }
    greets(seen, server);
  });
  const target = await targetOf(t, server.url);
  const heard: Message[] = [];
  const opening = openHttpSse(
    target,
    message(initialize()),
    {
      // As whoever waits for the session to be open.
      message: (message) => new Promise(() => heard.push(message)),
      failed: () => undefined,
      lost: () => undefined,
    },
    NEVER,
  );
  const session = await within(opening, 5000, "the session");
  t.after(() => session.close());
  equal(heard.length, 1);
});
