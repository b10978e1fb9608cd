import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import { SECURITY_HEADERS } from "../../lib/security-headers.ts";
import { until, within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { exchangeRaw, openRaw, statusesIn } from "../support/raw-http.ts";
import { call } from "../support/rpc.ts";

const WAIT_MS = 15_000;
const KEY = "the-key";
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const CLOSE = "Connection: close\r\n";
const MANY = "One: 1\r\n".repeat(129);
const JSON_POST = "Content-Type: application/json\r\n";

interface Setup {
  readonly url: string;
  readonly token: string;
  /** All that was logged. */
  readonly log: () => string;
}

/** The adapter over the fixture `counter`; after the test it is closed, and no process may be left. */
async function setUp(t: TestContext, options: Partial<ServeOptions> = {}): Promise<Setup> {
  const { command, args, token } = fixture("counter");
  const lines: string[] = [];
  const line = (fields: object, message: string): void =>
    void lines.push(`${JSON.stringify(fields)} ${message}`);
  const logger = { debug: line, info: line, warn: line, error: line };
  const server = await serve({
    mcpServers: { counter: { command, args } },
    port: 0,
    authKeys: [KEY],
    logger,
    ...options,
  });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return { url: server.url, token, log: () => lines.join("\n") };
}

interface Written {
  readonly line?: string;
  readonly host?: string;
  readonly key?: string;
  /** Each with its end of line. */
  readonly headers?: string;
  readonly body?: string;
  readonly length?: number | undefined;
}

/** A good request, but for what is given. */
function written(given: Written = {}): string {
  const { line = "POST /mcp HTTP/1.1", host = "Host: localhost\r\n", key = KEY, headers = "" } = given;
  const { body = PING, length = body.length } = given;
  const authorization = key === "" ? "" : `Authorization: Bearer ${key}\r\n`;
  return `${line}\r\n${host}${authorization}${JSON_POST}${headers}Content-Length: ${length}\r\n\r\n${body}`;
}

/** The same without a length. */
function unframed(headers: string, body: string): string {
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEY}\r\n${JSON_POST}`;
  return `${head}${headers}\r\n${body}`;
}

/** The JSON-RPC error of the only answer, which has a length, says that the connection ends, and is for no browser. */
function errorIn(answer: string): string {
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  const body = rest.join("\r\n\r\n");
  const header = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)\\r$`, "im").exec(`${head}\r\n`)?.[1];
  assert.equal(Number(header("content-length")), Buffer.byteLength(body), answer);
  assert.equal(header("connection"), "close");
  assert.equal(header("content-type"), "application/json");
  assert.equal(header("server"), undefined);
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) assert.equal(header(name), value, name);
  return (JSON.parse(body) as { error: { message: string } }).error.message;
}

const INVALID = /not a valid HTTP request/;
const HOST = /needs one Host header/;

const REFUSED: readonly (readonly [what: string, text: string, status: number, message: RegExp])[] = [
  ["what is no HTTP", "\x16\x03\x01\x02\x00garbage\r\n\r\n", 400, INVALID],
  ["HTTP/0.9", "GET /health\r\n\r\n", 400, INVALID],
  ["another version than 1.0 and 1.1", "GET /health HTTP/2.0\r\nHost: a\r\n\r\n", 400, INVALID],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, INVALID],
  ["a request without a Host", written({ host: "" }), 400, HOST],
  ["two Hosts", written({ headers: "Host: localhost\r\n" }), 400, HOST],
  ["a URL of another host", written({ line: "POST http://evil.example/mcp HTTP/1.1" }), 400, HOST],
  ["a URL with a user", written({ line: "POST http://a:b@localhost/mcp HTTP/1.1" }), 400, HOST],
  ["a length and chunks", written({ headers: "Transfer-Encoding: chunked\r\n" }), 400, INVALID],
  ["two lengths that differ", written({ headers: "Content-Length: 3\r\n" }), 400, INVALID],
  ["the same length twice", written({ headers: `Content-Length: ${PING.length}\r\n` }), 400, INVALID],
  ["a negative length", written({ length: -5 }), 400, INVALID],
  ["a header over two lines", written({ headers: "X-A: b\r\n c\r\n" }), 400, INVALID],
  ["a line that ends with a line feed alone", written({ headers: "X-A: b\n" }), 400, INVALID],
  ["a space before a colon", written({ headers: "X-A : b\r\n" }), 400, INVALID],
  ["a NUL in a header", written({ headers: "X-A: a\0b\r\n" }), 400, INVALID],
  ["another transfer coding", unframed("Transfer-Encoding: gzip\r\n", "{}"), 400, INVALID],
  ["chunked twice", unframed("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, INVALID],
  ["a chunk without a size", unframed("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n"), 400, INVALID],
  [
    "a large chunk extension",
    unframed("Transfer-Encoding: chunked\r\n", `2;${"a".repeat(20_000)}\r\n{}\r\n`),
    400,
    INVALID,
  ],
  [
    "two keys",
    written({ headers: "Authorization: Bearer other\r\n" }),
    400,
    /authorization may come only once/,
  ],
  [
    "two keys of the other name",
    written({ headers: "X-API-Key: a\r\nx-api-key: b\r\n" }),
    400,
    /x-api-key may/,
  ],
  ["two origins", written({ headers: "Origin: http://a\r\nOrigin: http://b\r\n" }), 400, /origin may/],
  ["two content types", written({ headers: "Content-Type: text/plain\r\n" }), 400, /content-type may/],
  [
    "two sessions",
    written({ headers: "Mcp-Session-Id: a\r\nMCP-Session-ID: a\r\n" }),
    400,
    /mcp-session-id may/,
  ],
  [
    "another expectation",
    written({ headers: "Expect: cookies\r\n" }),
    417,
    /Expect may only be 100-continue/,
  ],
  ["a header more than 128", written({ headers: MANY }), 431, /more than 128 headers/],
  ["10,000 headers", written({ headers: "a: b\r\n".repeat(10_000) }), 431, /larger than 16384 bytes/],
  ["a large header", written({ headers: `A: ${"x".repeat(17_000)}\r\n` }), 431, /larger than 16384 bytes/],
  [
    "CONNECT",
    "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    405,
    /Only POST is served/,
  ],
];

describe("the adapter refuses and closes the connection, for", () => {
  for (const [what, text, status, message] of REFUSED) {
    test(what, async (t) => {
      const { url } = await setUp(t);
      const answer = await exchangeRaw(t, url, text);
      assert.deepEqual(statusesIn(answer), [status], answer);
      assert.match(errorIn(answer), message);
    });
  }

  test("a key that its own log does not hold", async (t) => {
    const { url, log } = await setUp(t);
    await exchangeRaw(t, url, written({ headers: "Authorization: Bearer another-one\r\n" }));
    await exchangeRaw(t, url, `GET /health?auth_key=${KEY} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`);
    assert.match(log(), /"code":"HEADER_REPEATED"/);
    assert.match(log(), /"code":"HOST_NOT_VALID"/);
    assert.doesNotMatch(log(), /the-key|another-one/);
  });
});

const ANSWERED: readonly (readonly [what: string, text: string, statuses: readonly number[]])[] = [
  ["a URL of the same host", written({ line: "POST http://localhost/mcp HTTP/1.1", headers: CLOSE }), [200]],
  [
    "TRACE like any other method",
    `TRACE /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEY}\r\n${CLOSE}\r\n`,
    [405],
  ],
  ["HTTP/1.0 without a Host", "GET /health HTTP/1.0\r\n\r\n", [200]],
  [
    "requests that came together in their order",
    written() + written({ key: "x" }) + written({ headers: CLOSE }),
    [200, 401, 200],
  ],
  ["who asks whether to send the body", written({ headers: `Expect: 100-continue\r\n${CLOSE}` }), [100, 200]],
  [
    "who asks, and has no key, without the body",
    written({ key: "", headers: "Expect: 100-continue\r\n", body: "", length: 9 }),
    [401],
  ],
  [
    "who asks, and has too much",
    written({ headers: "Expect: 100-continue\r\n", body: "", length: 1e8 }),
    [413],
  ],
  [
    "a wish for another protocol, and no more",
    written({ headers: "Upgrade: websocket\r\nConnection: upgrade\r\n" }) + written(),
    [200],
  ],
  ["128 headers", written({ headers: CLOSE + "One: 1\r\n".repeat(123) }), [200]],
];

describe("the adapter answers", () => {
  for (const [what, text, statuses] of ANSWERED) {
    test(what, async (t) => {
      const { url } = await setUp(t);
      assert.deepEqual(statusesIn(await exchangeRaw(t, url, text)), statuses);
    });
  }

  test("no later request of a connection before the ones before it", async (t) => {
    const { command, args, token } = fixture("silent-in-call");
    const { url } = await setUp(t, { mcpServers: { s: { command, args } }, requestTimeoutMs: 60_000 });
    const body = JSON.stringify(call("any"));
    const { socket } = await openRaw(t, url);
    socket.write(written({ body }).repeat(8));
    await untilOne(token);
    // What the others would start is started before this is answered.
    assert.equal(statusesIn(await exchangeRaw(t, url, written({ headers: CLOSE })))[0], 200);
    assert.equal(processesWith(token).length, 1);
    socket.destroy();
    await waitUntilGone(token);
  });

  test("nothing on a connection on which more requests wait than anybody sends", async (t) => {
    const { command, args, token } = fixture("silent-in-call");
    const { url } = await setUp(t, { mcpServers: { s: { command, args } }, requestTimeoutMs: 60_000 });
    const { socket, ended } = await openRaw(t, url);
    socket.write(written({ body: JSON.stringify(call("any")) }) + written().repeat(40));
    assert.equal(await ended(), "");
    await waitUntilGone(token);
  });

  test("nothing to garbage behind a request that has no answer yet", async (t) => {
    const { command, args, token } = fixture("silent-in-call");
    const { url } = await setUp(t, { mcpServers: { s: { command, args } }, requestTimeoutMs: 60_000 });
    const { socket, ended } = await openRaw(t, url);
    socket.write(written({ body: JSON.stringify(call("any")) }));
    await untilOne(token);
    socket.write("garbage\r\n\r\n");
    assert.equal(await ended(), "");
    await waitUntilGone(token);
  });
});

async function untilOne(token: string): Promise<void> {
  await until(() => processesWith(token).length > 0, { withinMs: WAIT_MS, label: "a process" });
}

describe("a body", () => {
  test("that is too large by its length is refused before it is sent, and closes the connection", async (t) => {
    const { url } = await setUp(t);
    const answer = await exchangeRaw(t, url, written({ body: "", length: 1e8 }));
    assert.match(errorIn(answer), /larger than 4194304 bytes/);
  });

  test("in chunks is refused at the limit, though the sender goes on, and the answer can be read", async (t) => {
    const { url } = await setUp(t, { maxBodyBytes: 100_000 });
    const { socket, ended } = await openRaw(t, url);
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    socket.write(unframed("Transfer-Encoding: chunked\r\n", chunk.repeat(20)));
    assert.match(errorIn(await ended()), /larger than 100000 bytes/);
  });

  for (const [why, given, status] of [
    ["without a key", { key: "" }, 401],
    ["to nowhere", { line: "POST /nowhere HTTP/1.1" }, 404],
    ["that is too large", {}, 413],
  ] as const) {
    test(`of a request ${why} is not taken for the next request`, async (t) => {
      const { url, log } = await setUp(t);
      const { socket, receives, ended } = await openRaw(t, url);
      socket.write(written({ ...given, body: "", length: 1e8 }));
      await receives(/^HTTP\/1\.1 \d{3} [^]*\}$/);
      socket.write(written({ line: "POST /mcp?smuggled=1 HTTP/1.1" }));
      socket.end();
      assert.deepEqual(statusesIn(await ended()), [status]);
      assert.doesNotMatch(log(), /PARAMETER_NOT_ALLOWED/);
    });
  }

  test("without an end is read no further, and the connection is cut", async (t) => {
    const { url } = await setUp(t);
    const { socket } = await openRaw(t, url);
    socket.write(written({ body: "", length: 1e9 }));
    const piece = Buffer.alloc(1024 ** 2);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const write = (): void => void (socket.writable && socket.write(piece, write));
    write();
    await within(closed, WAIT_MS, "the connection is cut");
    assert.ok(socket.bytesWritten < 100 * 1024 ** 2, `${socket.bytesWritten} bytes were taken`);
  });

  test("that does not come in time is 408, however it trickles", async (t) => {
    const { url } = await setUp(t, { bodyTimeoutMs: 500 });
    const { socket, ended } = await openRaw(t, url);
    socket.write(written({ body: "", length: 1000 }));
    const trickle = setInterval(() => socket.write(" "), 50);
    t.after(() => clearInterval(trickle));
    assert.match(errorIn(await ended()), /The body was not here within 500 milliseconds/);
  });
});

describe("headers", () => {
  test("that do not come in time are 408, however they trickle", async (t) => {
    const { url } = await setUp(t, { headersTimeoutMs: 500 });
    const { socket, ended } = await openRaw(t, url);
    socket.write("POST /mcp HTTP/1.1\r\nX-A: ");
    const trickle = setInterval(() => socket.write("a"), 50);
    t.after(() => clearInterval(trickle));
    assert.match(errorIn(await ended()), /The headers were not here within 500 milliseconds/);
  });

  test("that never begin end the connection without a word", async (t) => {
    const { url } = await setUp(t, { headersTimeoutMs: 500 });
    assert.equal(await (await openRaw(t, url)).ended(), "");
  });

  test("have limits that the operator sets", async (t) => {
    const { url } = await setUp(t, { maxHeaders: 5, maxHeaderBytes: 1000 });
    const five = await exchangeRaw(t, url, written({ headers: CLOSE }));
    assert.deepEqual(statusesIn(five), [200]);
    assert.match(
      errorIn(await exchangeRaw(t, url, written({ headers: "One: 1\r\n" + CLOSE }))),
      /more than 5 headers/,
    );
    const large = written({ headers: `A: ${"x".repeat(1000)}\r\n` });
    assert.match(errorIn(await exchangeRaw(t, url, large)), /larger than 1000 bytes/);
  });
});

test("what forwarding headers say changes nothing", async (t) => {
  const { url, log } = await setUp(t);
  const forwarded = [
    "Forwarded: for=1.2.3.4;host=evil.example;proto=https",
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /evil",
    "X-Real-IP: 1.2.3.4",
    "X-Original-URL: /health",
    "X-Rewrite-URL: /health",
    "X-HTTP-Method-Override: DELETE",
  ];
  const headers = `${forwarded.join("\r\n")}\r\n${CLOSE}`;
  const undated = (answer: string): string => answer.replace(/^date: .*$/im, "");
  const cases: readonly Written[] = [
    {},
    { key: "" },
    { host: "Host: evil.example\r\n" },
    { line: "POST /nowhere HTTP/1.1" },
    { line: "GET /servers HTTP/1.1" },
    { line: "GET /sse HTTP/1.1", key: "" },
  ];
  for (const given of cases) {
    const plain = await exchangeRaw(t, url, written({ ...given, headers: CLOSE }));
    const with_ = await exchangeRaw(t, url, written({ ...given, headers }));
    assert.equal(undated(with_), undated(plain));
    assert.doesNotMatch(with_, /^location:/im);
  }
  assert.doesNotMatch(log(), /1\.2\.3\.4|\/evil/);
});

test("no answer is a redirect, whatever the path looks like", async (t) => {
  const { url } = await setUp(t);
  for (const path of [
    "//evil.example/mcp",
    "/mcp/",
    "/./mcp",
    "/mcp/../mcp",
    "/MCP",
    "/%2f%2fevil.example",
    "/",
  ]) {
    const answer = await exchangeRaw(t, url, written({ line: `POST ${path} HTTP/1.1`, headers: CLOSE }));
    assert.ok(
      statusesIn(answer).every((status) => status < 300 || status >= 400),
      answer,
    );
    assert.doesNotMatch(answer, /^location:/im);
  }
});
