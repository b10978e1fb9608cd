import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { messagesIn } from "../../lib/request/classify.ts";
import { refusalOf, watchedHandler } from "../support/unstarted.ts";
import type { Watched } from "../support/unstarted.ts";
import { call, initialize, notification, post, request } from "../support/rpc.ts";

const NOTHING = { processes: 0, messages: 0 };
const LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const VERSION_KEY = "io.modelcontextprotocol/protocolVersion";

interface Bad {
  readonly what: string;
  readonly path?: string;
  readonly init: RequestInit;
  readonly status: number;
  readonly code: number;
  /** The raw text of the id in the answer; without it the answer has no id member. */
  readonly id?: string;
  readonly message?: RegExp;
}

/** A body that is sent as these bytes. */
function bytes(
  body: NonNullable<RequestInit["body"]> | null,
  headers: Readonly<Record<string, string>> = {},
): RequestInit {
  return { ...post("", headers), body };
}

function withId(id: string): RequestInit {
  return post(`{"jsonrpc":"2.0","id":${id},"method":"resources/read","params":[]}`);
}

function version(value: string, body: object | string = LIST): RequestInit {
  return post(body, { "mcp-protocol-version": value });
}

function batch(...elements: readonly (object | string)[]): string {
  const texts = elements.map((element) => (typeof element === "string" ? element : JSON.stringify(element)));
  return `[${texts.join(",")}]`;
}

function meta(value: unknown, method = "tools/list"): object {
  return request(method, {
    _meta: { [VERSION_KEY]: value, "io.modelcontextprotocol/clientCapabilities": {} },
  });
}

function check(group: string, rows: readonly Bad[]): void {
  describe(group, () => {
    for (const { what, path = "/mcp", init, status, code, id, message } of rows) {
      test(`${what}: ${status} and ${code}, and no process`, async (t) => {
        const handler = watchedHandler(t, { maxBodyBytes: 8192 });
        const [refusal, text] = await refusalOf(await handler.fetch(path, init), status, code);
        const idText = /^\{"jsonrpc":"2\.0",(?:"id":(.*?),)?"error":/.exec(text)?.[1];
        assert.equal(idText, id);
        assert.equal("id" in refusal, id !== undefined);
        if (message) assert.match(refusal.error.message, message);
        assert.deepEqual(handler.started(), NOTHING);
      });
    }
  });
}

check("a path", [
  { what: "that nothing is at", path: "/", init: post(LIST), status: 404, code: -32600 },
  { what: "below the server", path: "/mcp/echo/x", init: post(LIST), status: 404, code: -32600 },
  {
    what: "of HTTP+SSE",
    path: "/sse",
    init: { method: "GET" },
    status: 404,
    code: -32600,
    message: /at \/mcp$/,
  },
  { what: "of its messages", path: "/messages?session_id=1", init: post(LIST), status: 404, code: -32600 },
  {
    what: "with an unknown server",
    path: "/mcp/nobody",
    init: post(LIST),
    status: 404,
    code: -32600,
    id: "1",
    message: /"nobody"/,
  },
  {
    what: "with a name of every object",
    path: "/mcp/constructor",
    init: post(LIST),
    status: 404,
    code: -32600,
    id: "1",
  },
  {
    what: "with a URL parameter",
    path: "/mcp?GITHUB_TOKEN=s3cret",
    init: post(LIST),
    status: 400,
    code: -32600,
    id: "1",
    message:
      /^The URL parameter "GITHUB_TOKEN" may not be set by a request, unless --allow-env or allowEnv names it$/,
  },
  {
    what: "with an empty URL parameter beside the key",
    path: "/mcp?auth_key=1&PATH",
    init: post(LIST),
    status: 400,
    code: -32600,
    id: "1",
    message: /"PATH"/,
  },
]);

check("a media type", [
  ...[
    "text/plain",
    "application/jsonx",
    "application/json-rpc",
    "x/application/json",
    "text/plain, application/json",
  ].map((type) => ({ what: type, init: post(PING, { "content-type": type }), status: 415, code: -32600 })),
  {
    what: "text/plain with a weight of nothing before application/json",
    init: post(PING, { "content-type": "text/plain;q=0, application/json" }),
    status: 415,
    code: -32600,
  },
  ...[
    { "content-type": "application/json; charset=utf-16" },
    { "content-type": 'application/json; x=1; charset="ISO-8859-1"' },
    { "content-encoding": "gzip" },
    { "content-encoding": "identity, gzip" },
  ].map((headers) => ({
    what: `of another text: ${Object.values(headers).join()}`,
    init: post(PING, headers),
    status: 415,
    code: -32600,
    message: /must be UTF-8/,
  })),
  {
    what: "that is missing",
    init: { method: "POST", body: Buffer.from(PING), headers: { accept: "*/*" } },
    status: 415,
    code: -32600,
  },
]);

check("an Accept header", [
  ...[
    "text/html",
    "image/*",
    "",
    "application/json;q=0",
    "text/event-stream; q=0.000, application/json;q=0.0",
  ].map((accept) => ({
    what: JSON.stringify(accept),
    init: post(PING, { accept }),
    status: 406,
    code: -32600,
  })),
]);

check("a body", [
  { what: "that is empty", init: post(""), status: 400, code: -32700, message: /it is empty/ },
  { what: "of space", init: post(" \n"), status: 400, code: -32700, message: /it is empty/ },
  { what: "that is absent", init: bytes(null), status: 400, code: -32700, message: /it is empty/ },
  { what: "that is half a message", init: post(LIST.slice(0, -1)), status: 400, code: -32700 },
  { what: "with two messages", init: post(LIST + LIST), status: 400, code: -32700 },
  { what: "with a comment", init: post(`${LIST}//`), status: 400, code: -32700 },
  { what: "with two byte order marks", init: post(`\uFEFF\uFEFF${LIST}`), status: 400, code: -32700 },
  {
    what: "that is not UTF-8",
    init: bytes(Buffer.from(LIST.replace("tools", "t\u00E9"), "latin1")),
    status: 400,
    code: -32700,
    message: /it is not UTF-8/,
  },
  { what: "in UTF-16", init: bytes(Buffer.from(LIST, "utf16le")), status: 400, code: -32700 },
  {
    what: "that says it is too large",
    init: post(LIST, { "content-length": "8193" }),
    status: 413,
    code: -32600,
    message: /larger than 8192 bytes/,
  },
  { what: "that is too large", init: post(" ".repeat(8193)), status: 413, code: -32600 },
]);

check("what is no message", [
  ...["null", "1", '"text"', "true", "{}", '{"jsonrpc":"2.0"}', '{"jsonrpc":"2.0","id":null,"result":1}'].map(
    (text) => ({
      what: text,
      init: post(text),
      status: 400,
      code: -32600,
      message: /^Not a JSON-RPC message: /,
    }),
  ),
  { what: "an old version", init: post(LIST.replace("2.0", "1.0")), status: 400, code: -32600, id: "1" },
  { what: "a method that is no text", init: post('{"jsonrpc":"2.0","id":"x","method":1}'), ...bad('"x"') },
  {
    what: "params that are an array",
    init: post('{"jsonrpc":"2.0","id":2,"method":"a","params":[]}'),
    ...bad("2"),
  },
  {
    what: "params that are null",
    init: post('{"jsonrpc":"2.0","id":2,"method":"a","params":null}'),
    ...bad("2"),
  },
  { what: "a response", init: post('{"jsonrpc":"2.0","id":1,"result":{}}'), status: 400, code: -32600 },
  { what: "an error", init: post('{"jsonrpc":"2.0","id":1,"error":{"code":1}}'), status: 400, code: -32600 },
  {
    what: "two methods",
    init: post('{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}'),
    ...bad("1"),
    message: /member "method" stands there twice/,
  },
  {
    what: "more members than anybody writes",
    init: post(PING.replace("}", `,${Array.from({ length: 1000 }, (_, at) => `"${at}":0`).join()}}`)),
    ...bad("1"),
    message: /more than 1000 members/,
  },
  {
    what: "a member of its params twice, whatever its era",
    init: post('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"a":1},"_meta":{}}}'),
    ...bad("1"),
    message: /"_meta" stands there twice/,
  },
  {
    what: "a member that some programs take for the method",
    init: post('{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}'),
    ...bad("1"),
    message: /"Method" is written in another case/,
  },
  {
    what: "two ids, one of them written with an escape",
    init: post('{"jsonrpc":"2.0","id":1,"\\u0069d":2,"method":"ping"}'),
    ...bad("2"),
    message: /member "id" stands there twice/,
  },
]);

function bad(id: string): { status: number; code: number; id: string } {
  return { status: 400, code: -32600, id };
}

check("an id", [
  ...['"a"', '""', '"\\u0061\\"}"', "0", "-1", "9007199254740993", "1.0", "1E2"].map((id) => ({
    what: `${id}, which comes back as it was written`,
    init: withId(id),
    status: 400,
    code: -32600,
    id,
  })),
  ...["1.5", "true", "null", "{}", "[1]", "1e400"].map((id) => ({
    what: `${id}, which is none`,
    init: withId(id),
    status: 400,
    code: -32600,
    message: /its id is neither a string nor an integer/,
  })),
]);

check("another method of HTTP", [
  ...["GET", "DELETE", "PUT", "PATCH"].map((method) => ({
    what: method,
    init: { method },
    status: 405,
    code: -32600,
    message: /^Only POST is served here$/,
  })),
]);

test("another method of HTTP is told the one that is served", async (t) => {
  const { fetch } = watchedHandler(t);
  for (const method of ["GET", "DELETE", "PUT", "HEAD"]) {
    const response = await fetch("/mcp", { method });
    assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"]);
  }
});

check("a version header", [
  ...["2025-01-01", "1.0", "", "2025-06-18, 2025-11-25", "2025-06-18,"].map((value) => ({
    what: `${JSON.stringify(value)}, which is unknown`,
    init: version(value),
    status: 400,
    code: -32600,
    id: "1",
    message: /names a revision that is not served here/,
  })),
  {
    what: "of a modern revision without its envelope",
    init: version("2026-07-28"),
    status: 400,
    code: -32602,
    id: "1",
    message:
      /lacks io\.modelcontextprotocol\/protocolVersion and io\.modelcontextprotocol\/clientCapabilities/,
  },
  ...["2027-01-01", "2026-07-28, 2025-06-18", "latest"].map((value) => ({
    what: `${value}, which is later as text`,
    init: version(value),
    status: 400,
    code: -32602,
    id: "1",
  })),
  {
    what: "of a modern revision with initialize",
    init: version("2026-07-28", initialize()),
    status: 400,
    code: -32020,
    id: "0",
  },
]);

check("a batch", [
  { what: "that is empty", init: post("[]"), status: 400, code: -32600, message: /it is empty/ },
  {
    what: "of 101",
    init: post(batch(...many(101))),
    status: 400,
    code: -32600,
    message: /more than 100 elements/,
  },
  {
    what: "with initialize",
    init: post(batch(initialize())),
    status: 400,
    code: -32600,
    message: /must stand alone/,
  },
  {
    what: "with a response",
    init: post(batch(PING, { jsonrpc: "2.0", id: 2, result: {} })),
    status: 400,
    code: -32600,
  },
  {
    what: "with the same id twice",
    init: post(batch(LIST, PING)),
    status: 400,
    code: -32600,
    message: /the same id/,
  },
  {
    what: "with ids that no program can tell apart",
    init: post(batch(LIST.replace("1", "9007199254740992"), LIST.replace("1", "9007199254740993"))),
    status: 400,
    code: -32600,
    message: /the same id/,
  },
  { what: "with a modern envelope", init: post(batch(meta("2026-07-28"))), status: 400, code: -32600 },
  { what: "in a batch", init: post(batch(batch(PING))), status: 400, code: -32600 },
  { what: "with no message", init: post(batch(PING, "null")), status: 400, code: -32600 },
  {
    what: "with a message whose member stands there twice",
    init: post(batch(PING, '{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}')),
    ...bad("7"),
  },
  ...["2025-11-25", "2025-06-18", "2024-11-05", "2026-07-28", "x"].map((value) => ({
    what: `of version ${value}`,
    init: version(value, batch(PING)),
    status: 400,
    code: -32600,
    message: /only protocol version 2025-03-26 has batches/,
  })),
]);

function many(count: number): object[] {
  return Array.from({ length: count }, (_, id) => request("tools/list", undefined, id));
}

check("initialize", [
  ...["", ',"params":{}'].map((params, index) => ({
    what: index === 0 ? "without params" : "twice in one body",
    init: post(`{"jsonrpc":"2.0","id":5,"method":"initialize"${params}${index === 0 ? "" : params}}`),
    status: 400,
    code: index === 0 ? -32602 : -32600,
    id: "5",
  })),
]);

check("a session token of ours", [
  ...["1.", "1.x", "1.e30", `1.${"A".repeat(3000)}`, `1.${base64url('{"ci":{},"cap":{},"v":"1"}')}`].map(
    (token) => ({
      what: `that cannot be read: ${token.slice(0, 20)}`,
      init: post(LIST, { "mcp-session-id": token }),
      status: 404,
      code: -32600,
      id: "1",
      message: /initialize again/,
    }),
  ),
]);

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

describe("what is accepted", () => {
  async function answered(handler: Watched, init: RequestInit, path = "/mcp"): Promise<unknown> {
    const response = await handler.fetch(path, init);
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text);
  }

  const pings: readonly (readonly [what: string, init: RequestInit])[] = [
    ["a byte order mark", post(`\uFEFF${PING}`)],
    ["space around the message", post(`\r\n ${PING} \n`)],
    ["a charset", post(PING, { "content-type": "Application/JSON; charset=utf-8" })],
    ["no Accept header", { method: "POST", body: PING, headers: { "content-type": "application/json" } }],
    ["an Accept header with weights", post(PING, { accept: "text/html, application/json;q=0.1" })],
    ["an Accept header of kinds", post(PING, { accept: "application/*" })],
    ["a version that a gateway repeated", version(" 2025-06-18 ,2025-06-18,  2025-06-18", PING)],
    ["the draft version of early SDKs", version("2024-10-07", PING)],
    ...LEGACY.map((value): [string, RequestInit] => [`version ${value}`, version(value, PING)]),
    ["a foreign session id", post(PING, { "mcp-session-id": "6f0c1a2e-gateway" })],
    ["a session id that looks like ours from afar", post(PING, { "mcp-session-id": "1" })],
    ["unknown members", post(PING.replace("}", ',"x":1}'))],
    ["_meta without a version", post(request("ping", { _meta: { progressToken: 1 } }))],
  ];
  for (const [what, init] of pings) {
    test(`${what}, and ping is answered without a process`, async (t) => {
      const handler = watchedHandler(t);
      assert.deepEqual(await answered(handler, init), { jsonrpc: "2.0", id: 1, result: {} });
      assert.deepEqual(handler.started(), NOTHING);
    });
  }

  test("an id is answered as it was written", async (t) => {
    const { fetch, started } = watchedHandler(t);
    for (const id of ["0", "-7", "9007199254740993", '"\\u0061"', "1.0", '""']) {
      const response = await fetch("/mcp", post(`{"jsonrpc":"2.0","id": ${id} ,"method":"ping"}`));
      assert.equal(await response.text(), `{"jsonrpc":"2.0","id":${id},"result":{}}`);
    }
    assert.deepEqual(started(), NOTHING);
  });

  const session = ["resources/subscribe", "resources/unsubscribe", "tasks/get", "tasks/list", "tasks/x"];
  for (const method of session) {
    test(`${method}, and it is told to be unavailable`, async (t) => {
      const handler = watchedHandler(t);
      const { error } = (await answered(handler, post(request(method, {})))) as { error: object };
      assert.deepEqual(error, {
        code: -32601,
        message: `${method} is not available over a stateless connection`,
      });
      assert.deepEqual(handler.started(), NOTHING);
    });
  }

  const silent: readonly (readonly [what: string, init: RequestInit])[] = [
    ["a notification", post(notification("notifications/initialized"))],
    ["a cancellation", post(notification("notifications/cancelled", { requestId: 1 }))],
    ["a notification of a modern client", version("2026-07-28", notification("notifications/cancelled", {}))],
    ["a batch of notifications", post(batch(notification("a"), notification("b")))],
  ];
  for (const [what, init] of silent) {
    test(`${what}, with 202, no body and no process`, async (t) => {
      const handler = watchedHandler(t);
      const response = await handler.fetch("/mcp", init);
      assert.deepEqual(
        [response.status, response.body, response.headers.get("content-type")],
        [202, null, null],
      );
      assert.deepEqual(handler.started(), NOTHING);
    });
  }

  test("a batch that needs no process, and each element is answered", async (t) => {
    const handler = watchedHandler(t);
    const body = batch(PING, notification("a"), request("tasks/get", {}, "t"));
    const answers = (await answered(handler, version("2025-03-26", body))) as { id: unknown }[];
    assert.deepEqual(
      answers.map(({ id }) => id),
      [1, "t"],
    );
    assert.deepEqual(handler.started(), NOTHING);
  });

  test("a call, which is what starts a process", async (t) => {
    const handler = watchedHandler(t);
    await answered(
      handler,
      post(call("echo"), { "mcp-session-id": "foreign" }),
      "/servers/echo/mcp?auth_key=",
    );
    assert.deepEqual(handler.started(), { processes: 1, messages: 5 });
  });

  test("a batch of one hundred", async (t) => {
    const handler = watchedHandler(t);
    const answers = (await answered(
      handler,
      post(batch(...many(100)), { accept: "application/json" }),
    )) as object[];
    assert.equal(answers.length, 100);
    assert.equal(handler.started().processes, 1);
  });
});

test("a body that grows beyond the limit is not read any further", async (t) => {
  const handler = watchedHandler(t, { maxBodyBytes: 4096 });
  let [chunks, cancelled] = [0, false];
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      chunks += 1;
      controller.enqueue(Buffer.alloc(1024, " "));
    },
    cancel: () => void (cancelled = true),
  });
  const response = await handler.fetch("/mcp", { ...bytes(body), duplex: "half" });
  await refusalOf(response, 413, -32600);
  assert.equal(cancelled, true);
  assert.ok(chunks <= 7, `${chunks} chunks were read`);
  assert.deepEqual(handler.started(), NOTHING);
});

test("a body that breaks off belongs to a client that has gone, and is no error of ours", async (t) => {
  const errors: unknown[] = [];
  const none = (): void => undefined;
  const logger = {
    debug: none,
    info: none,
    warn: none,
    error: (...entry: unknown[]) => void errors.push(entry),
  };
  const handler = watchedHandler(t, { logger });
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from(LIST.slice(0, 10))),
    pull: (controller) => controller.error(new Error("aborted")),
  });
  const response = await handler.fetch("/mcp", { ...bytes(body), duplex: "half" });
  assert.deepEqual([response.status, response.body, errors], [499, null, []]);
  assert.deepEqual(handler.started(), NOTHING);
});

test("a body of just the limit is read", async (t) => {
  const handler = watchedHandler(t, { maxBodyBytes: 4096 });
  const response = await handler.fetch("/mcp", post(PING.padEnd(4096)));
  assert.equal(response.status, 200);
});

test("several servers without a default: the bare path asks for a name", async (t) => {
  const mcpServers = { a: { command: "no-such-program" }, b: { command: "no-such-program" } };
  const handler = watchedHandler(t, { mcpServers });
  const [{ error }] = await refusalOf(await handler.fetch("/mcp", post(LIST)), 404, -32600);
  assert.match(error.message, /use \/mcp\/NAME, as GET \/servers lists them$/);
  assert.deepEqual(handler.started(), NOTHING);
});

test("what a caller chose is shortened before it comes back", async (t) => {
  const handler = watchedHandler(t);
  const name = "x".repeat(1000);
  const [{ error }] = await refusalOf(await handler.fetch(`/mcp?${name}=1`, post(LIST)), 400, -32600);
  assert.ok(error.message.includes(`"${"x".repeat(128)}…"`), error.message);
});

test("capabilities nested too deep to be written again cross as they are, without a session token", async (t) => {
  const handler = watchedHandler(t);
  const deep = `{"experimental":{"x":${"[".repeat(30_000)}${"]".repeat(30_000)}}}`;
  const params = `{"protocolVersion":"2025-11-25","capabilities":${deep},"clientInfo":{"name":"x","version":"1"}}`;
  const body = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":${params}}`;
  const response = await handler.fetch("/mcp", post(body, { accept: "application/json" }));
  assert.deepEqual([response.status, response.headers.get("mcp-session-id")], [200, null]);
});

test("a body of more objects than there is room for is refused before it is read", async (t) => {
  const handler = watchedHandler(t);
  const send = (objects: number): Promise<Response> => {
    const list = `[${"{},".repeat(objects - 4)}{}]`;
    const body = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"list":${list}}}`;
    return handler.fetch("/mcp", post(body));
  };
  const [{ error }] = await refusalOf(await send(100_001), 400, -32600);
  assert.match(error.message, /holds more than 100000 objects and arrays/);
  assert.deepEqual(handler.started(), NOTHING);
  assert.equal((await send(100_000)).status, 200);
});

test("of a request nothing is kept parsed that it is not routed by", () => {
  const huge = { one: { two: [3] } };
  const version = { [VERSION_KEY]: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": huge };
  const kept = (params: Readonly<Record<string, unknown>>, method = "tools/call"): unknown =>
    messagesIn(JSON.stringify({ ...request(method, params), huge })).messages.map(({ value }) => value);
  const routed = (params: object, method = "tools/call"): unknown => [{ id: 1, method, params }];
  const params = { name: "n", arguments: huge, huge, _meta: { progressToken: 7, huge } };
  assert.deepEqual(kept(params), routed({ name: "n", _meta: { progressToken: 7 } }));
  assert.deepEqual(kept({ name: huge }), routed({ name: {} }));
  assert.deepEqual(kept({ _meta: version, huge }), routed({ _meta: version }));
  const initialize = { protocolVersion: "2025-11-25", capabilities: huge, clientInfo: huge };
  assert.deepEqual(kept({ ...initialize, huge }, "initialize"), routed(initialize, "initialize"));
});
