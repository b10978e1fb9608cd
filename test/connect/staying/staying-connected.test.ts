import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { openHttpSse } from "../../../lib/connect/sessions/http-sse.ts";
import type { LegacyRemote } from "../../../lib/connect/remote.ts";
import { stayConnected } from "../../../lib/connect/staying/staying-connected.ts";
import type { StayOptions } from "../../../lib/connect/staying/staying-connected.ts";
import { openStreamable } from "../../../lib/connect/sessions/streamable.ts";
import type { Message } from "../../../lib/jsonrpc.ts";
import { until, within } from "../../support/deadline.ts";
import {
  accept,
  event,
  greets,
  initializeResult,
  json,
  message,
  notes,
  remoteServer,
  result,
  stream,
  targetOf,
} from "../../support/remote-server.ts";
import type { RemoteServer, Seen } from "../../support/remote-server.ts";
import { call, initialize, notification, request } from "../../support/rpc.ts";

const NEVER = new AbortController().signal;

interface Parsed {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: any;
  readonly result?: any;
  readonly error?: any;
}

interface Connected {
  readonly remote: LegacyRemote;
  readonly heard: Parsed[];
  readonly lines: string[];
  readonly send: (value: object) => Promise<void>;
  /** The first message that matches, once it is there. */
  readonly hear: (match: (message: Parsed) => boolean, label: string) => Promise<Parsed>;
  readonly answer: (id: number | string) => Promise<Parsed>;
}

interface Options extends Partial<Pick<StayOptions, "pingIntervalMs" | "waitMs">> {
  readonly by?: typeof openStreamable;
}

async function connect(
  t: TestContext,
  { url }: RemoteServer,
  { by = openStreamable, ...options }: Options = {},
): Promise<Connected> {
  const { logger, lines } = notes();
  const target = await targetOf(t, url, {}, logger);
  const heard: Parsed[] = [];
  const remote = await stayConnected(
    {
      open: (first, events, signal) => by(target, first, events, signal),
      initialize: message(initialize({ id: 0 })),
      hear: ({ text }: Message) => void heard.push(JSON.parse(text) as Parsed),
      name: url.origin + url.pathname,
      logger,
      pingIntervalMs: 0,
      ...options,
    },
    NEVER,
  );
  t.after(() => remote.close());
  const hear: Connected["hear"] = (matches, label) =>
    until(() => heard.find(matches), { withinMs: 8000, label: () => `${label} in ${JSON.stringify(heard)}` });
  return {
    ...{ remote, heard, lines, hear },
    send: (value) => remote.send(message(value)),
    answer: (id) => hear((one) => one.id === id && one.method === undefined, `the answer to ${id}`),
  };
}

/** A server whose sessions can be forgotten, and which notes the calls that it carries out. */
interface Forgetful {
  readonly server: RemoteServer;
  readonly ran: string[];
  /** What is asked but for calls, with the session in which it was. */
  readonly told: string[];
  readonly forget: () => void;
}

async function forgetful(
  t: TestContext,
  {
    behave = (seen) => json(seen, result(seen.body.id)),
    capabilities = {},
    refuse = (seen) => void seen.response.writeHead(404).end(),
  }: {
    readonly behave?: (seen: Seen) => void;
    readonly capabilities?: object;
    readonly refuse?: (seen: Seen) => void;
  } = {},
): Promise<Forgetful> {
  const [ran, told]: [string[], string[]] = [[], []];
  let session = 1;
  const server = await remoteServer(t, (seen) => {
    const { body, headers, method } = seen;
    if (body.method === "initialize") return greets(seen, String(session), capabilities);
    if (headers["mcp-session-id"] !== String(session)) return refuse(seen);
    if (method === "GET") return stream(seen);
    if (method === "DELETE") return seen.response.writeHead(200).end();
    if (body.method !== "tools/call") told.push(`${session} ${body.method ?? "response"}`);
    if (body.id === undefined || body.method === undefined) return accept(seen);
    if (body.method === "tools/call") ran.push(body.params.name);
    behave(seen);
  });
  return { server, ran, told, forget: () => void (session += 1) };
}

const WORDS: Record<string, ((seen: Seen) => void) | undefined> = {
  "404": undefined,
  "400 in the words of server-everything": (seen) =>
    json(
      seen,
      { jsonrpc: "2.0", error: { code: -32000, message: "Bad Request: No valid session ID provided" } },
      400,
    ),
};

for (const [title, refuse] of Object.entries(WORDS)) {
  test(`a forgotten session (${title}) is opened again, and nothing runs twice`, async (t) => {
    const { server, ran, told, forget } = await forgetful(t, {
      ...(refuse && { refuse }),
      behave: (seen) => {
        if (seen.body.params?.name === "slow") stream(seen);
        else json(seen, result(seen.body.id, { ok: true }));
      },
    });
    const { send, answer, lines } = await connect(t, server);
    await send(notification("notifications/initialized"));
    await server.take("GET");
    await send(call("slow", {}, { id: 1 }));
    await server.take("tools/call");
    forget();
    await Promise.all([2, 3, 4].map((id) => send(call(`next-${id}`, {}, { id }))));
    for (const id of [2, 3, 4]) deepEqual((await answer(id)).result, { ok: true });
    const { error } = await answer(1);
    match(error.message, /forgotten the session.* which it may have carried out/);
    equal(error.data.reason, "lost");
    deepEqual(ran.toSorted(), ["next-2", "next-3", "next-4", "slow"]);
    ok(told.includes("2 notifications/initialized"));
    deepEqual(lines, [
      `warn: The remote server ${server.url.href} is lost (it has forgotten the session): Mayfly keeps trying`,
      `info: The remote server ${server.url.href} is back`,
    ]);
    const [first, again] = server.of("initialize").map(({ body }) => body);
    deepEqual(again?.params, first?.params);
    match(String(again?.id), /^mayfly-/);
  });
}

test("a request that is refused by the second session too gets the error", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (!greets(seen)) seen.response.writeHead(404).end();
  });
  const { send, answer } = await connect(t, server);
  await send(call("tool", {}, { id: 1 }));
  match((await answer(1)).error.message, /it was not carried out/);
  equal(server.of("tools/call").length, 2);
});

test("a new session knows what the one before knew, and the client hears that all may have changed", async (t) => {
  const capabilities = {
    tools: { listChanged: true },
    prompts: {},
    resources: { listChanged: true, subscribe: true },
    logging: {},
  };
  const { server, told, forget } = await forgetful(t, { capabilities });
  const { send, answer, hear, heard } = await connect(t, server);
  await send(notification("notifications/initialized"));
  await send(request("resources/subscribe", { uri: "test://a", more: 1, _meta: { progressToken: 1 } }, 1));
  await send(request("resources/subscribe", { uri: "test://b" }, 2));
  await Promise.all([answer(1), answer(2)]);
  await send(request("resources/unsubscribe", { uri: "test://b" }, 3));
  await send(request("logging/setLevel", { level: "warning" }, 4));
  await Promise.all([answer(3), answer(4)]);
  forget();
  await send(call("tool", {}, { id: 5 }));
  await answer(5);
  deepEqual(
    told.filter((one) => one.startsWith("2")),
    ["2 notifications/initialized", "2 resources/subscribe", "2 logging/setLevel"],
  );
  deepEqual(server.of("resources/subscribe").at(-1)?.body.params, { uri: "test://a", more: 1 });
  await hear((one) => one.method === "notifications/resources/updated", "the update");
  deepEqual(
    heard.filter(({ method }) => method !== undefined).map(({ method, params }) => [method, params?.uri]),
    [
      ["notifications/tools/list_changed", undefined],
      ["notifications/resources/list_changed", undefined],
      ["notifications/resources/updated", "test://a"],
    ],
  );
  ok(
    heard.every(({ id }) => typeof id !== "string"),
    "answers to our own requests are for nobody",
  );
});

test("questions of a lost session are withdrawn, and late answers to them are dropped", async (t) => {
  let streams = 0;
  const { server, told, forget } = await forgetful(t, {
    behave: (seen) => {
      stream(seen);
      streams += 1;
      event(seen, request("roots/list", { from: streams }, 7));
    },
  });
  const { send, hear, answer } = await connect(t, server);
  await send(call("asks", {}, { id: 1 }));
  await hear((one) => one.method === "roots/list" && one.params.from === 1, "the question");
  forget();
  await send(call("asks", {}, { id: 2 }));
  await answer(1);
  const withdrawn = await hear(({ method }) => method === "notifications/cancelled", "the withdrawal");
  equal(withdrawn.params.requestId, 7);
  const again = await hear(
    (one) => one.method === "roots/list" && one.params.from === 2,
    "the next question",
  );
  match(String(again.id), /^mayfly-/, "an id that is not mistaken for the one before");
  await send({ jsonrpc: "2.0", id: 7, result: { roots: ["late"] } });
  await send({ jsonrpc: "2.0", id: again.id, result: { roots: ["right"] } });
  await until(() => told.includes("2 response"), { withinMs: 5000, label: "the answer" });
  const answers = server.seen.filter(({ body }) => body.result !== undefined).map(({ body }) => body);
  deepEqual(answers, [{ jsonrpc: "2.0", id: 7, result: { roots: ["right"] } }]);
});

test("a request for a remote that cannot be reached is answered at once, and the next one finds it back", async (t) => {
  const { server, ran, forget } = await forgetful(t);
  const { send, answer, lines } = await connect(t, server);
  await send(call("one", {}, { id: 1 }));
  await answer(1);
  await server.stop();
  await send(call("two", {}, { id: 2 }));
  match((await within(answer(2), 1500, "the error")).error.message, /cannot be reached/);
  forget();
  await server.start();
  await send(call("three", {}, { id: 3 }));
  ok((await answer(3)).result);
  deepEqual(ran, ["one", "three"]);
  deepEqual(lines, [
    `warn: The remote server ${server.url.href} is lost (connection refused): Mayfly keeps trying`,
    `info: The remote server ${server.url.href} is back`,
  ]);
});

test("a server that restarts is found again in the background, and requests meanwhile wait for it", async (t) => {
  const { server, ran, forget } = await forgetful(t);
  const { send, answer, lines } = await connect(t, server);
  await send(notification("notifications/initialized"));
  await server.take("GET");
  await server.stop();
  forget();
  await server.start();
  await server.take("initialize", 2);
  await send(call("after", {}, { id: 1 }));
  ok((await answer(1)).result);
  deepEqual(ran, ["after"]);
  match(lines.join("\n"), /is lost.*\n.*is back/);
});

function greetsBySse(seen: Seen, { of }: RemoteServer): boolean {
  if (seen.method === "GET") {
    stream(seen);
    event(seen, "/messages", { type: "endpoint" });
  } else {
    accept(seen);
    const opened = of("GET").at(-1);
    if (opened && seen.body.method === "initialize") event(opened, initializeResult(seen.body.id));
  }
  return seen.method === "GET" || seen.body.method === "initialize";
}

test("what waits for a lost remote is answered after a while, and cancelled without an answer", async (t) => {
  const server = await remoteServer(t, (seen, server) => void greetsBySse(seen, server));
  const { send, answer, heard } = await connect(t, server, { by: openHttpSse, waitMs: 150 });
  await send(call("lost", {}, { id: 1 }));
  await server.take("tools/call");
  await server.stop();
  match((await answer(1)).error.message, /which it may have carried out/);
  await send(call("waits", {}, { id: 2 }));
  await send(call("unwanted", {}, { id: 3 }));
  await send(notification("notifications/cancelled", { requestId: 3 }));
  const { error } = await answer(2);
  match(error.message, /cannot be reached .*nothing was sent/);
  equal(error.data.reason, "unreachable");
  deepEqual(
    heard.map(({ id }) => id),
    [1, 2],
  );
});

test("a cancelled request gets no answer, also one that comes late", async (t) => {
  const { server } = await forgetful(t, {
    behave: (seen) => seen.body.id !== 1 && json(seen, result(seen.body.id)),
  });
  const { send, answer, heard } = await connect(t, server);
  await send(call("slow", {}, { id: 1 }));
  await send(notification("notifications/cancelled", { requestId: 1 }));
  await send(call("next", {}, { id: 2 }));
  await answer(2);
  deepEqual(
    heard.map(({ id }) => id),
    [2],
  );
  await until(() => server.open() === 0, { withinMs: 5000, label: "the stream of the request is closed" });
  deepEqual(
    server.seen.map(({ body }) => body.method),
    ["initialize", "tools/call", "notifications/cancelled", "tools/call"],
  );
});

test("an id that is in use is refused, and big ids are told apart", async (t) => {
  const { server } = await forgetful(t, { behave: (seen) => void seen });
  const { remote, send, hear } = await connect(t, server);
  const text = (id: string): string =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"x"}}`;
  for (const id of ["9007199254740993", "9007199254740992"]) {
    await remote.send({ text: text(id), value: JSON.parse(text(id)) });
  }
  await server.take("tools/call", 2);
  await send(call("x", {}, { id: "1" }));
  await send(call("x", {}, { id: "1" }));
  match((await hear(({ error }) => error, "the refusal")).error.message, /Another request with this id/);
  await server.take("tools/call", 3);
});

test("two pings without an answer are the end of an HTTP+SSE session, and any answer is life", async (t) => {
  let isSilent = false;
  const server = await remoteServer(t, (seen, server) => {
    if (greetsBySse(seen, server) || isSilent || seen.body.method !== "ping") return;
    const opened = server.of("GET").at(-1);
    const error = { code: -32601, message: "no pings here" };
    if (opened) event(opened, { jsonrpc: "2.0", id: seen.body.id, error });
  });
  const { heard, lines } = await connect(t, server, { by: openHttpSse, pingIntervalMs: 20 });
  await server.take("ping", 5);
  deepEqual([heard, lines, server.of("initialize").length], [[], [], 1]);
  isSilent = true;
  await server.take("initialize", 2);
  match(lines[0] ?? "", /is lost \(it does not answer pings\)/);
  match(String(server.of("ping")[0]?.body.id), /^mayfly-/);
});

test("a remote that keeps nothing gets no pings", async (t) => {
  const server = await remoteServer(t, (seen) => {
    if (greets(seen)) return;
    if (seen.method === "POST") json(seen, result(seen.body.id));
    else seen.response.writeHead(405).end();
  });
  const { send, answer } = await connect(t, server, { pingIntervalMs: 5 });
  await send(notification("notifications/initialized"));
  await server.take("GET");
  for (let id = 1; id < 20; id += 1) {
    await send(call("tool", {}, { id }));
    await answer(id);
  }
  ok(server.of("ping").length <= 2, "none after the stream was refused");
});

test("close gives the session back, and nothing comes after it", async (t) => {
  const { server } = await forgetful(t, { behave: (seen) => stream(seen) });
  const { remote, send, heard } = await connect(t, server, { pingIntervalMs: 10 });
  await send(notification("notifications/initialized"));
  await send(call("slow", {}, { id: 1 }));
  await server.take("GET");
  await Promise.all([remote.close(), remote.close()]);
  equal(server.of("DELETE").length, 1);
  await send(call("late", {}, { id: 2 }));
  equal(server.of("tools/call").length, 1);
  deepEqual(heard, []);
});

test("close ends the attempts to open a session again", async (t) => {
  const server = await remoteServer(t, (seen, server) => void greetsBySse(seen, server));
  const { remote, lines } = await connect(t, server, { by: openHttpSse });
  await server.stop();
  await until(() => lines.length === 1, { withinMs: 5000, label: "the loss" });
  await within(remote.close(), 500, "close");
});

test("a first session that is refused leaves nothing behind", async (t) => {
  const server = await remoteServer(t, (seen) => void seen.response.writeHead(405).end());
  await rejects(connect(t, server, { pingIntervalMs: 10 }), /HTTP 405/);
});
