import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { ConfigurationError, createHandler } from "../lib/index.ts";
import type { HandlerOptions, Logger } from "../lib/index.ts";
import { post, request } from "./support/rpc.ts";
import { refusalOf, watchedHandler } from "./support/unstarted.ts";

const PING = post(request("ping"));
const KEYS = ["first-key-3f9c", "second-key-77aa"];
const CLOSED = { allowAnonymous: false };

const NO_KEY =
  "The key is missing or wrong: send it as Authorization: Bearer KEY, as X-API-Key: KEY or as ?auth_key=KEY";

type Headers = Readonly<Record<string, string>>;

function ping(headers: Headers): RequestInit {
  return { ...PING, headers: { ...PING.headers, ...headers } };
}

async function statusOf(t: TestContext, options: Partial<HandlerOptions>, path: string, headers: Headers) {
  const response = await watchedHandler(t, options).fetch(path, ping(headers));
  return response.status;
}

describe("a key", () => {
  const good: readonly (readonly [what: string, path: string, headers: Headers])[] = [
    ["as bearer", "/mcp", { authorization: "Bearer first-key-3f9c" }],
    ["as bearer, whatever the case and the spaces", "/mcp", { authorization: "bearer   first-key-3f9c " }],
    ["as X-API-Key", "/mcp", { "x-api-key": "first-key-3f9c" }],
    ["in the URL", "/mcp?auth_key=first-key-3f9c", {}],
    ["in the URL, escaped", "/mcp?auth_key=%66irst-key-3f9c", {}],
    ["that is the next one in a rotation", "/mcp", { authorization: "Bearer second-key-77aa" }],
    [
      "beside a wrong one",
      "/mcp?auth_key=wrong",
      { authorization: "Basic x", "x-api-key": "first-key-3f9c" },
    ],
    ["as the second of two in the URL", "/mcp?auth_key=wrong&auth_key=first-key-3f9c", {}],
  ];
  for (const [what, path, headers] of good) {
    test(`opens the door: ${what}`, async (t) => {
      assert.equal(await statusOf(t, { ...CLOSED, authKeys: KEYS }, path, headers), 200);
    });
  }

  const bad: readonly (readonly [what: string, path: string, headers: Headers])[] = [
    ["missing", "/mcp", {}],
    ["empty", "/mcp?auth_key=", { "x-api-key": "", authorization: "Bearer " }],
    ["wrong", "/mcp?auth_key=nearly-1", { "x-api-key": "nearly-2", authorization: "Bearer nearly-3" }],
    ["cut short", "/mcp", { "x-api-key": "first-key-3f9" }],
    ["too long", "/mcp", { "x-api-key": "first-key-3f9c1" }],
    ["in another case", "/mcp", { "x-api-key": "FIRST-KEY-3F9C" }],
    ["both keys as they are configured", "/mcp", { "x-api-key": KEYS.join(",") }],
    ["of another scheme", "/mcp", { authorization: "Basic first-key-3f9c" }],
    ["without a scheme", "/mcp", { authorization: "first-key-3f9c" }],
    ["in a parameter of another name", "/mcp?authkey=first-key-3f9c&key=first-key-3f9c", {}],
    ["in a cookie", "/mcp", { cookie: "auth_key=first-key-3f9c" }],
    ["in another header", "/mcp", { "x-forwarded-authorization": "Bearer first-key-3f9c" }],
  ];
  for (const [what, path, headers] of bad) {
    test(`keeps the door shut, and is not repeated: ${what}`, async (t) => {
      const handler = watchedHandler(t, { ...CLOSED, authKeys: KEYS });
      const response = await handler.fetch(path, ping(headers));
      assert.equal(response.headers.get("www-authenticate"), "Bearer");
      const said = JSON.stringify([...response.headers]);
      const [refusal, text] = await refusalOf(response, 401, -32600);
      assert.deepEqual(refusal.error, { code: -32600, message: NO_KEY });
      assert.doesNotMatch(said + text, /key-3f9c|key-77aa|nearly/i);
      assert.deepEqual(handler.started(), { processes: 0, messages: 0 });
    });
  }

  test("is asked for before the body, the method and the server are looked at", async (t) => {
    const { fetch } = watchedHandler(t, { ...CLOSED, authKeys: KEYS });
    for (const init of [{ method: "GET" }, { method: "DELETE" }, post("{"), { method: "POST" }]) {
      await refusalOf(await fetch("/mcp/nobody?PATH=x", init), 401, -32600);
    }
  });

  test("that is needed although everybody is let in is needed", async (t) => {
    assert.equal(await statusOf(t, { allowAnonymous: true, authKeys: KEYS }, "/mcp", {}), 401);
  });

  test("never reaches the log", async (t) => {
    const log: unknown[] = [];
    const note = (...entry: unknown[]): void => void log.push(entry);
    const logger: Logger = { debug: note, info: note, warn: note, error: note };
    const { fetch } = watchedHandler(t, { ...CLOSED, authKeys: KEYS, logger });
    await fetch("/mcp?auth_key=nearly-1", ping({ "x-api-key": "nearly-2" }));
    await fetch("/mcp?auth_key=first-key-3f9c&X=1", ping({}));
    await fetch("/mcp?auth_key=first-key-3f9c", post("{", { authorization: "Bearer second-key-77aa" }));
    assert.equal(log.length, 3);
    assert.doesNotMatch(JSON.stringify(log), /key-3f9c|key-77aa|nearly/);
  });

  for (const authKeys of [[""], ["a", " "]]) {
    test(`is not configured as ${JSON.stringify(authKeys)}`, () => {
      const options = { mcpServers: { a: { command: "x" } }, authKeys };
      assert.throws(() => createHandler(options), new ConfigurationError("authKeys: a key is empty"));
    });
  }
});

test("without a configured key the door is shut, and the operator is told what to set", async (t) => {
  for (const headers of [{}, { authorization: "Bearer undefined" }, { "x-api-key": "" }]) {
    const response = await watchedHandler(t, CLOSED).fetch("/mcp", ping(headers));
    assert.equal(response.headers.get("www-authenticate"), "Bearer");
    const [{ error }] = await refusalOf(response, 401, -32600);
    assert.match(error.message, /AUTH_KEY.*ALLOW_ANONYMOUS=true/);
  }
});

describe("without a key", () => {
  test("the health is told, and says nothing about the servers", async (t) => {
    const { fetch, started } = watchedHandler(t, { ...CLOSED, authKeys: KEYS });
    for (const path of ["/health", "/healthz", "/ping", "/health/", "/health?deep=0"]) {
      const response = await fetch(path);
      assert.deepEqual([response.status, await response.json()], [200, { status: "ok" }]);
    }
    const head = await fetch("/health", { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.deepEqual(started(), { processes: 0, messages: 0 });
  });

  test("the deep health is not told", async (t) => {
    const { fetch, started } = watchedHandler(t, { ...CLOSED, authKeys: KEYS });
    await refusalOf(await fetch("/health?deep=1"), 401, -32600);
    assert.deepEqual(started(), { processes: 0, messages: 0 });
  });

  test("the health is not changed", async (t) => {
    const response = await watchedHandler(t, CLOSED).fetch("/health", PING);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
    await refusalOf(response, 405, -32600);
  });

  test("a preflight is answered", async (t) => {
    const { fetch } = watchedHandler(t, { ...CLOSED, authKeys: KEYS });
    const response = await fetch("/mcp", { method: "OPTIONS" });
    assert.deepEqual([response.status, await response.text()], [204, ""]);
    assert.deepEqual(Object.fromEntries(response.headers), {
      allow: "POST, GET, DELETE, OPTIONS",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
  });
});

describe("an Origin", () => {
  test("of an allowed host is let in from every port, but reads nothing", async (t) => {
    const { fetch } = watchedHandler(t, { allowedHosts: ["localhost", "[::1]"] });
    for (const origin of ["http://localhost:3000", "https://localhost", "http://[::1]:3000"]) {
      const response = await fetch("/mcp", ping({ origin }));
      assert.equal(response.status, 200, origin);
      assert.equal(response.headers.get("access-control-allow-origin"), null);
    }
    for (const origin of [
      "http://evil.com",
      "http://localhost.evil.com",
      "http://evil.com#localhost",
      "null",
    ]) {
      await refusalOf(await fetch("/mcp", ping({ origin })), 403, -32600);
    }
  });
});

describe("a Host header", () => {
  const allowedHosts = ["localhost", "127.0.0.1", "[::1]", "mcp.example.com"];
  const good = [
    "localhost",
    "LOCALHOST:8000",
    "127.0.0.1:8000",
    "[::1]:8000",
    "mcp.example.com",
    "mcp.example.com:443",
  ];
  const evil = [
    "evil.com",
    "localhost.evil.com",
    "evil.com:8000",
    "localhost@evil.com",
    "localhost:x@evil.com",
    "evil.com#localhost",
    "evil.com?localhost",
    "evil.com\\localhost",
    "evil.com/localhost",
    "localhost:99999",
    "0.0.0.0",
    "::1",
    "",
  ];

  test("is let in under an allowed name, with any port", async (t) => {
    const { fetch } = watchedHandler(t, { allowedHosts });
    for (const host of good) assert.equal((await fetch("/mcp", ping({ host }))).status, 200, host);
  });

  test("is let in in any case of its letters", async () => {
    const handler = createHandler({ mcpServers: { x: { command: "x" } }, allowedHosts: ["MCP.Example.com"] });
    const response = await handler.fetch(new Request("http://mcp.example.COM/health"));
    assert.equal(response.status, 200);
  });

  test("is refused under any other, whatever is asked", async (t) => {
    const { fetch, started } = watchedHandler(t, { allowedHosts });
    for (const host of evil) {
      for (const [path, init] of [
        ["/mcp", ping({ host })],
        ["/mcp", { method: "OPTIONS", headers: { host } }],
        ["/health?deep=1", { headers: { host } }],
        ["/health", { method: "POST", headers: { host } }],
        ["/", { headers: { host } }],
        ["/servers", { headers: { host } }],
      ] as const) {
        const [{ error }] = await refusalOf(await fetch(path, init), 403, -32600);
        const expected = "This Host header is not allowed, unless --allowed-hosts or allowedHosts names it";
        assert.equal(error.message, expected, host);
      }
    }
    assert.deepEqual(started(), { processes: 0, messages: 0 });
  });

  test("is not looked at where any is allowed", async (t) => {
    assert.equal(await statusOf(t, {}, "/mcp", { host: "anything.example" }), 200);
    assert.equal(await statusOf(t, { allowedHosts: ["*"] }, "/mcp", { host: "anything.example" }), 200);
  });

  test("does not matter to a probe by address, which learns that a host is there and nothing else", async (t) => {
    const { fetch, started } = watchedHandler(t, { allowedHosts });
    for (const host of ["10.0.0.5:8000", ...evil]) {
      const response = await fetch("/health", { headers: { host } });
      assert.deepEqual([response.status, await response.json()], [200, { status: "ok" }], host);
      assert.equal((await fetch("/healthz", { method: "HEAD", headers: { host } })).status, 200);
    }
    const elsewhere = { host: "evil.com", origin: "http://evil.com" };
    await refusalOf(await fetch("/health", { headers: elsewhere }), 403, -32600);
    assert.deepEqual(started(), { processes: 0, messages: 0 });
  });

  test("is that of the URL where there is none", async (t) => {
    assert.equal(await statusOf(t, { allowedHosts: ["localhost"] }, "/mcp", {}), 200);
    assert.equal(await statusOf(t, { allowedHosts: ["mcp.example.com"] }, "/mcp", {}), 403);
  });
});

describe("the log of a refusal", () => {
  const misspelt = [
    ...["/mcp%3Fauth_key=first-key-3f9c", "/mcp/verbatim%3fauth_key=first-key-3f9c"],
    ...["/mcp/verbatim/first-key-3f9c", "/mcp/second%2Fkey%3D77aa", "/mcp?auth_key%3Dfirst-key-3f9c"],
    ...["/mcp?first-key-3f9c", "/mcp/verbatim%3FTOKEN=of-77aa"],
  ];
  for (const path of misspelt) {
    test(`has no key of a URL that is wrong, nor has its answer: ${path}`, async (t) => {
      const log: (readonly [object, string])[] = [];
      const note = (entry: object, message: string): void => void log.push([entry, message]);
      const logger: Logger = { debug: note, info: note, warn: note, error: note };
      const authKeys = [...KEYS, "second/key=77aa"];
      const { fetch } = watchedHandler(t, { ...CLOSED, authKeys, logger });
      const answer = await fetch(path, ping({ "x-api-key": "first-key-3f9c" }));
      assert.ok([400, 404].includes(answer.status), String(answer.status));
      assert.equal(log.length, 1);
      assert.doesNotMatch(JSON.stringify(log), /3f9c|77aa/);
      assert.doesNotMatch(await answer.text(), /3f9c|77aa/);
    });
  }

  const long = `${"a".repeat(200)}.example`;
  const rows: readonly (readonly [what: string, headers: Headers, fields: object])[] = [
    ["a host", { host: "mcp.example:80" }, { host: "mcp.example:80", option: "--allowed-hosts" }],
    ["a long host", { host: long }, { host: `${"a".repeat(128)}…`, option: "--allowed-hosts" }],
    [
      "a host with characters that a terminal obeys",
      { host: "a\u001B[2Jb\u009Bc\u00ADd" },
      { host: "a?[2Jb?c?d", option: "--allowed-hosts" },
    ],
    [
      "an origin",
      { origin: "https://app.example" },
      { origin: "https://app.example", option: "--cors-origin" },
    ],
    ["a long origin", { origin: long }, { origin: `${"a".repeat(128)}…`, option: "--cors-origin" }],
    ["an origin with a tab", { origin: "a\tb" }, { origin: "a?b", option: "--cors-origin" }],
  ];
  for (const [what, headers, fields] of rows) {
    test(`names ${what}, and the option that would let it in`, async (t) => {
      const log: (readonly [object, string])[] = [];
      const note = (entry: object, message: string): void => void log.push([entry, message]);
      const logger: Logger = { debug: note, info: note, warn: note, error: note };
      const { fetch } = watchedHandler(t, { allowedHosts: ["localhost"], logger });
      const [, text] = await refusalOf(await fetch("/mcp?x=secret", ping(headers)), 403, -32600);
      const code = "host" in headers ? "HOST_NOT_ALLOWED" : "ORIGIN_NOT_ALLOWED";
      assert.deepEqual(log, [[{ status: 403, code, method: "POST", path: "/mcp", ...fields }, "refused"]]);
      assert.match(
        text,
        "host" in headers ? /--allowed-hosts or allowedHosts/ : /--cors-origin or corsOrigins/,
      );
    });
  }
});
