import { deepEqual, doesNotMatch, match, ok, rejects } from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { messagesIn } from "../../../lib/connect/wire/answers.ts";
import type { Received } from "../../../lib/connect/wire/answers.ts";
import { serveWire, wireTarget } from "../../support/wire.ts";
import { within } from "../../support/deadline.ts";

const WAIT_MS = 15_000;
const NEVER = new AbortController().signal;
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/x"}';

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

async function received(
  t: TestContext,
  answer: Answer,
  maxMessageBytes = 1000,
): Promise<Received[] & { log?: string }> {
  const { url } = await serveWire(t, answer);
  const target = await wireTarget(t, url, { maxMessageBytes });
  const sent = { headers: {}, body: "{}", signal: NEVER, what: "tools/call" };
  const all: Received[] & { log?: string } = [];
  for await (const one of messagesIn(await target.http.request("POST", url, sent), target, NEVER))
    all.push(one);
  all.log = target.lines.join("\n");
  return all;
}

function textsOf(all: readonly Received[]): (string | undefined)[] {
  return all.map(({ message }) => message?.text);
}

function json(text: string, status = 200): Answer {
  return (_request, response) => response.writeHead(status, { "Content-Type": "application/json" }).end(text);
}

function events(text: string): Answer {
  return (_request, response) =>
    response.writeHead(200, { "Content-Type": "Text/Event-Stream;charset=utf-8" }).end(text);
}

test("a JSON answer is one message, or several in a batch, on one line each", async (t) => {
  deepEqual(textsOf(await received(t, json(`\uFEFF${RESULT}\n`))), [RESULT]);
  deepEqual(textsOf(await received(t, json(`[${RESULT},\r\n ${NOTE}]`))), [RESULT, NOTE]);
  deepEqual(textsOf(await received(t, json('{"jsonrpc":"2.0",\n"id":1,"result":{"a":"é 日本"}}'))), [
    '{"jsonrpc":"2.0", "id":1,"result":{"a":"é 日本"}}',
  ]);
});

test("answers without content hold no message", async (t) => {
  for (const status of [200, 202, 204]) {
    deepEqual(await received(t, (_request, response) => response.writeHead(status).end()).then(textsOf), []);
  }
  deepEqual(textsOf(await received(t, json("", 200))), []);
  deepEqual(textsOf(await received(t, (_request, response) => response.writeHead(202).end("Accepted"))), []);
});

test("an event stream holds messages and ids, also ids alone; what is no message is logged", async (t) => {
  const all = await received(
    t,
    events(
      `id: 1\ndata:\n\ndata: ${NOTE}\n\nevent: ping\ndata: {}\n\nretry: 5\n\nid: 2\ndata: [${NOTE},${RESULT}]\n\ndata: nonsense\n\ndata: {"a":1}\n\n`,
    ),
  );
  deepEqual(
    all.map(({ message, id, retryMs }) => [message?.text, id, retryMs]),
    [
      [undefined, "1", undefined],
      [NOTE, "1", undefined],
      [undefined, "1", undefined],
      [undefined, "1", 5],
      [NOTE, undefined, 5],
      [RESULT, "2", 5],
      [undefined, "2", 5],
      [undefined, "2", 5],
    ],
  );
  match(all.log ?? "", /event that is not JSON/);
  match(all.log ?? "", /event that is no message.*jsonrpc member/);
  doesNotMatch(all.log ?? "", /nonsense/);
});

test("a message over the limit is told by the limit", async (t) => {
  const long = JSON.stringify({ jsonrpc: "2.0", id: 1, result: "x".repeat(2000) });
  const error = { code: "REMOTE_MESSAGE_TOO_LARGE", message: /more than 1000 bytes/ };
  await rejects(received(t, json(long)), error);
  await rejects(received(t, events(`data: ${long}\n\n`)), error);
});

const NOT_MCP: readonly [string, Answer, RegExp][] = [
  [
    "a web page",
    (_request, response) =>
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end("<p>Sign in"),
    /answered tools\/call with a web page, which is not MCP/,
  ],
  [
    "a text",
    (_request, response) => response.writeHead(200, { "Content-Type": "text/plain" }).end("hi"),
    /content of the type text\/plain/,
  ],
  ["a body of no type", (_request, response) => response.end("hi"), /content of no type/],
  ["broken JSON", json('{"jsonrpc":'), /broken JSON/],
  ["a JSON text", json('"hi"'), /broken JSON|no object/],
  ["another object", json('{"ok":true}'), /JSON, but its jsonrpc member is not/],
];

for (const [name, answer, message] of NOT_MCP) {
  test(`${name} is not MCP`, async (t) => {
    await rejects(received(t, answer), { code: "REMOTE_NOT_MCP", message });
  });
}

test("a JSON answer that breaks off is lost, and an event stream that breaks ends", async (t) => {
  const broken =
    (type: string, text: string): Answer =>
    (_request, response) => {
      response.writeHead(200, { "Content-Type": type, "Content-Length": 500 });
      response.write(text, () => response.destroy());
    };
  await rejects(received(t, broken("application/json", RESULT)), {
    code: "REMOTE_LOST",
    message: /tools\/call/,
  });
  deepEqual(textsOf(await received(t, broken("text/event-stream", `data: ${NOTE}\n\ndata: ${RESULT}\n`))), [
    NOTE,
  ]);
});

test("who leaves after the answer keeps the connection, if the stream ends soon", async (t) => {
  let connections = 0;
  const { url, server } = await serveWire(t, (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(`data: ${RESULT}\n\n`);
    setImmediate(() => response.end(": bye\n\n"));
  });
  server.on("connection", () => (connections += 1));
  const target = await wireTarget(t, url);
  for (let call = 0; call < 20; call += 1) {
    const answer = await target.http.request("POST", url, { headers: {}, body: "{}", signal: NEVER });
    for await (const { message } of messagesIn(answer, target, NEVER)) if (message) break;
  }
  ok(connections <= 3, `${connections} connections`);
});

test("who leaves a stream that goes on ends it", async (t) => {
  let ended: Promise<unknown> | undefined;
  const { url } = await serveWire(t, (_request, response) => {
    ended = new Promise((resolve) => response.once("close", resolve));
    response.writeHead(200, { "Content-Type": "text/event-stream" }).write(`data: ${RESULT}\n\n`);
  });
  const target = await wireTarget(t, url);
  const answer = await target.http.request("POST", url, { headers: {}, body: "{}", signal: NEVER });
  for await (const { message } of messagesIn(answer, target, NEVER)) if (message) break;
  await within(ended ?? Promise.reject(new Error("nobody came")), WAIT_MS, "the end of the stream");
});
