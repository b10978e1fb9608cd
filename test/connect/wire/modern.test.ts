import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { createModernRemote, discover } from "../../../lib/connect/wire/modern.ts";
import type { ModernRemote } from "../../../lib/connect/remote.ts";
import type { Message, RequestValue } from "../../../lib/jsonrpc.ts";
import { deferred } from "../../../lib/promises.ts";
import { within } from "../../support/deadline.ts";
import { answerEvents, answerJson, bodyOf, serveWire, wireTarget } from "../../support/wire.ts";
import type { WireLog } from "../../support/wire.ts";

const WAIT_MS = 15_000;
const NEVER = new AbortController().signal;
const INTRODUCTION = { clientInfo: { name: "test", version: "1" }, capabilities: {} };
const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": INTRODUCTION.clientInfo,
  "io.modelcontextprotocol/clientCapabilities": {},
};

function requestOf(method: string, params: object = {}, id: number | string = 1): Message<RequestValue> {
  const value = { jsonrpc: "2.0", id, method, params: { ...params, _meta: META } };
  return { text: JSON.stringify(value), value };
}

interface Asked {
  readonly id: number | string;
  readonly method: string;
  readonly params: Record<string, unknown>;
  readonly headers: IncomingHttpHeaders;
}

type Reply = { readonly result: unknown } | { readonly error: unknown; readonly status?: number };

/** A remote whose server answers each request as the function says. */
async function remoteOf(
  t: TestContext,
  reply: (asked: Asked) => Reply,
): Promise<{ remote: ModernRemote; asked: Asked[] } & WireLog> {
  const asked: Asked[] = [];
  const { url } = await serveWire(t, async (request, response) => {
    const body = JSON.parse(await bodyOf(request)) as Omit<Asked, "headers">;
    const one = { ...body, headers: request.headers };
    asked.push(one);
    const { status, ...rest } = { status: 200, ...reply(one) };
    answerJson(response, { jsonrpc: "2.0", id: body.id, ...rest }, status);
  });
  const target = await wireTarget(t, url);
  return { remote: createModernRemote(target, "{}"), asked, logger: target.logger, lines: target.lines };
}

async function all(messages: AsyncGenerator<Message, void, void>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of messages) texts.push(text);
  return texts;
}

test("the headers of a request repeat what it says", async (t) => {
  const { remote, asked } = await remoteOf(t, () => ({ result: {} }));
  await all(remote.request(requestOf("prompts/get", { name: "plain name" }), NEVER));
  await all(remote.request(requestOf("resources/read", { uri: "file:///é" }), NEVER));
  await all(remote.request(requestOf("tools/call", { name: "=?base64?eA==?=" }), NEVER));
  await all(remote.request(requestOf("resources/list"), NEVER));
  await all(remote.request(requestOf("tools/call", { name: 5 }), NEVER));
  deepEqual(
    asked.map(({ headers }) => [headers["mcp-method"], headers["mcp-name"]]),
    [
      ["prompts/get", "plain name"],
      ["resources/read", "=?base64?ZmlsZTovLy/DqQ==?="],
      ["tools/call", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="],
      ["resources/list", undefined],
      ["tools/call", undefined],
    ],
  );
  for (const { headers } of asked) {
    equal(headers["mcp-protocol-version"], "2026-07-28");
    equal(headers.accept, "application/json, text/event-stream");
    equal(headers["content-type"], "application/json");
  }
});

test("a request and its answer travel as they were written", async (t) => {
  let received = "";
  const { url } = await serveWire(t, async (request, response) => {
    received = await bodyOf(request);
    response.setHeader("Content-Type", "application/json; charset=utf-8");
    response.end('{ "jsonrpc":"2.0","id":1,\r\n "result": {"n": 12345678901234567890, "x-new":[ ]}}');
  });
  const remote = createModernRemote(await wireTarget(t, url), "{}");
  const { value } = requestOf("tools/list");
  const text = JSON.stringify(value).replace('"method"', '"big":98765432109876543210, "method"');
  const answers = await all(remote.request({ text, value }, NEVER));
  equal(received, text);
  deepEqual(answers, ['{ "jsonrpc":"2.0","id":1,   "result": {"n": 12345678901234567890, "x-new":[ ]}}']);
});

const TOOL = {
  name: "query",
  inputSchema: {
    type: "object",
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      at: { type: "object", properties: { row: { type: "integer", "x-mcp-header": "Row" } } },
      dry: { type: "boolean", "x-mcp-header": "Dry" },
      gone: { type: "string", "x-mcp-header": "Gone" },
    },
  },
};

const ARGUMENTS = { region: "日本", at: { row: -7 }, dry: true, gone: null };

test("arguments that a listed tool annotates are repeated in headers", async (t) => {
  const { remote, asked } = await remoteOf(t, ({ method }) => ({
    result: method === "tools/list" ? { tools: [TOOL] } : {},
  }));
  await all(remote.request(requestOf("tools/list"), NEVER));
  await all(remote.request(requestOf("tools/call", { name: "query", arguments: ARGUMENTS }), NEVER));
  const headers: IncomingHttpHeaders = asked[1]?.headers ?? {};
  equal(headers["mcp-param-region"], "=?base64?5pel5pys?=");
  equal(headers["mcp-param-row"], "-7");
  equal(headers["mcp-param-dry"], "true");
  equal(headers["mcp-param-gone"], undefined);
});

test("a call that is refused for its headers is sent once more after the tools were listed, all pages", async (t) => {
  const { remote, asked } = await remoteOf(t, ({ method, params, headers }) => {
    if (method !== "tools/list") {
      return headers["mcp-param-row"] === undefined
        ? { error: { code: -32020, message: "Mcp-Param-Row is missing" }, status: 400 }
        : { result: { content: [] } };
    }
    return { result: params["cursor"] === "2" ? { tools: [TOOL] } : { tools: [], nextCursor: "2" } };
  });
  const [answer = ""] = await all(
    remote.request(requestOf("tools/call", { name: "query", arguments: ARGUMENTS }, "a"), NEVER),
  );
  deepEqual(JSON.parse(answer), { jsonrpc: "2.0", id: "a", result: { content: [] } });
  deepEqual(
    asked.map(({ method }) => method),
    ["tools/call", "tools/list", "tools/list", "tools/call"],
  );
  deepEqual(asked[2]?.params["_meta"], META);
});

test("a call whose headers stay refused is not sent a third time, and gets the server's own error", async (t) => {
  const error = { code: -32020, message: "no" };
  const { remote, asked } = await remoteOf(t, ({ method }) =>
    method === "tools/list" ? { result: { tools: [TOOL] } } : { error, status: 400 },
  );
  const call = requestOf("tools/call", { name: "query", arguments: ARGUMENTS });
  const [answer = ""] = await all(remote.request(call, NEVER));
  deepEqual(JSON.parse(answer).error, error);
  equal(asked.length, 3);
  await all(remote.request(requestOf("tools/call", { name: "other" }), NEVER));
  equal(asked.length, 5, "the tools say nothing new, so nothing is sent again");
});

test("a tool whose schema breaks the rules for headers is left out of the list, and the log says so", async (t) => {
  const flawed = {
    name: "bad",
    inputSchema: { type: "object", properties: { n: { type: "number", "x-mcp-header": "N" } } },
  };
  const { remote, lines } = await remoteOf(t, () => ({ result: { tools: [TOOL, flawed], ttlMs: 0 } }));
  const [answer = ""] = await all(remote.request(requestOf("tools/list"), NEVER));
  deepEqual(JSON.parse(answer).result, { tools: [TOOL], ttlMs: 0 });
  match(lines.join("\n"), /warn A tool is left out.*"bad"/);
});

test("notifications come before the answer, which ends what comes", async (t) => {
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progress: 1 } };
  const { url } = await serveWire(t, (_request, response) => {
    answerEvents(
      response,
      progress,
      { jsonrpc: "2.0", id: 9, result: {} },
      { jsonrpc: "2.0", id: 1, result: {} },
      progress,
    );
  });
  const remote = createModernRemote(await wireTarget(t, url), "{}");
  const answers = await all(remote.request(requestOf("tools/call", { name: "x" }), NEVER));
  deepEqual(
    answers.map((text) => JSON.parse(text) as unknown),
    [progress, { jsonrpc: "2.0", id: 1, result: {} }],
  );
});

test("a stream that ends without the answer is lost, whether it ends or breaks", async (t) => {
  const { url } = await serveWire(t, (request, response) => {
    answerEvents(response, { jsonrpc: "2.0", method: "notifications/message" });
    if (request.headers["mcp-method"] === "breaks") setImmediate(() => response.destroy());
    else response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n');
  });
  const remote = createModernRemote(await wireTarget(t, url), "{}");
  for (const method of ["ends", "breaks"]) {
    await rejects(all(remote.request(requestOf(method), NEVER)), {
      code: "REMOTE_LOST",
      message: new RegExp(method),
    });
  }
});

test("an answer with a status of failure is handed out under the id of the request", async (t) => {
  const error = { code: -32601, message: "Method not found", data: { big: 1 } };
  const { url } = await serveWire(t, (_request, response) =>
    answerJson(response, { jsonrpc: "2.0", id: null, error }, 404),
  );
  const remote = createModernRemote(await wireTarget(t, url), "{}");
  const [answer = ""] = await all(remote.request(requestOf("x/y", {}, "mine"), NEVER));
  deepEqual(JSON.parse(answer), { jsonrpc: "2.0", id: "mine", error });
});

test("a signal that fires closes the stream, and nothing more comes", async (t) => {
  let gone: Promise<unknown> | undefined;
  const { url } = await serveWire(t, (_request, response) => {
    gone = once(response, "close");
    answerEvents(response, { jsonrpc: "2.0", method: "notifications/message" });
  });
  const remote = createModernRemote(await wireTarget(t, url), "{}");
  const leaving = new AbortController();
  const messages = remote.request(requestOf("subscriptions/listen"), leaving.signal);
  ok(!(await messages.next()).done);
  const next = messages.next();
  leaving.abort();
  equal((await within(next, WAIT_MS, "the end of the messages")).done, true);
  await within(gone ?? Promise.reject(new Error("nobody came")), WAIT_MS, "the end of the stream");
});

test("a signal that fires before the headers of the answer ends the request", async (t) => {
  const arrived = deferred();
  const gone = deferred();
  const { url } = await serveWire(t, (_request, response) => {
    response.once("close", () => gone.resolve());
    arrived.resolve();
  });
  const remote = createModernRemote(await wireTarget(t, url), "{}");
  const leaving = new AbortController();
  const next = remote.request(requestOf("tools/call"), leaving.signal).next();
  await within(arrived.promise, WAIT_MS, "the request");
  leaving.abort();
  equal((await within(next, WAIT_MS, "the end of the messages")).done, true);
  await within(gone.promise, WAIT_MS, "the end of the connection");
});

test("closing the remote ends what is in flight", async (t) => {
  const { url } = await serveWire(t, (_request, response) => answerEvents(response));
  const remote = createModernRemote(await wireTarget(t, url), "{}");
  const next = remote.request(requestOf("subscriptions/listen"), NEVER).next();
  await remote.close();
  equal((await within(next, WAIT_MS, "the end of the messages")).done, true);
});

test("a notification is a POST of its own, whose failure is logged", async (t) => {
  const { url, asked } = await serveWire(t, (request, response) => {
    response.writeHead(request.headers["mcp-method"] === "custom/fine" ? 202 : 500).end();
  });
  const target = await wireTarget(t, url);
  const remote = createModernRemote(target, "{}");
  for (const method of ["custom/fine", "custom/refused"]) {
    const value = { jsonrpc: "2.0", method };
    await remote.notify({ text: JSON.stringify(value), value });
  }
  equal(asked.length, 2);
  equal(target.lines.length, 1);
  match(target.lines[0] ?? "", /custom\/refused.*HTTP 500/);
});

test("a server that names a modern revision is modern, and its words are kept", async (t) => {
  const { url } = await serveWire(t, async (request, response) => {
    const { id } = JSON.parse(await bodyOf(request)) as Asked;
    response.setHeader("Content-Type", "application/json");
    response.end(
      `{"jsonrpc":"2.0","id":"${id}","result":{ "supportedVersions":["2026-07-28"],"n":12345678901234567890}}`,
    );
  });
  const { modern } = await discover(await wireTarget(t, url), INTRODUCTION, NEVER);
  equal(modern, '{ "supportedVersions":["2026-07-28"],"n":12345678901234567890}');
});

const REFUSALS: Readonly<
  Record<string, { status: number; type?: string; body?: string; code: string; hasMessage: boolean }>
> = {
  "a JSON-RPC error with 400": {
    status: 400,
    body: '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Server not initialized"},"id":null}',
    code: "REMOTE_REFUSED",
    hasMessage: true,
  },
  "a bare 404": { status: 404, code: "REMOTE_REFUSED", hasMessage: false },
  "a web page": { status: 200, type: "text/html", body: "<html>", code: "REMOTE_NOT_MCP", hasMessage: false },
  "nothing with 202": { status: 202, code: "REMOTE_NOT_MCP", hasMessage: false },
  "a result of another kind": {
    status: 200,
    body: '{"jsonrpc":"2.0","id":"ID","result":{}}',
    code: "REMOTE_NOT_MCP",
    hasMessage: false,
  },
  "a JSON-RPC error with 200": {
    status: 200,
    body: '{"jsonrpc":"2.0","id":"ID","error":{"code":-32601,"message":"Method not found"}}',
    code: "REMOTE_NOT_MCP",
    hasMessage: true,
  },
  "a key that is missing": { status: 401, code: "REMOTE_UNAUTHORIZED", hasMessage: false },
};

for (const [name, { status, type = "application/json", body = "", code, hasMessage }] of Object.entries(
  REFUSALS,
)) {
  test(`a server that answers server/discover with ${name} is not found to be modern`, async (t) => {
    const { url } = await serveWire(t, async (request, response) => {
      const { id } = JSON.parse(await bodyOf(request)) as Asked;
      response.writeHead(status, { "Content-Type": type }).end(body.replace("ID", String(id)));
    });
    const { refused } = await discover(await wireTarget(t, url), INTRODUCTION, NEVER);
    equal(refused?.failure.code, code);
    equal(refused?.status, status);
    equal(refused?.message !== undefined, hasMessage);
  });
}
