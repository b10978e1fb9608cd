import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../lib/index.ts";
import type { CorsOptions, HandlerOptions } from "../lib/index.ts";
import { call, post, request } from "./support/rpc.ts";
import { refusalOf, watchedHandler } from "./support/unstarted.ts";

const APP = "https://app.example.com";
const EVIL = "https://evil.example";
const LISTED: Partial<HandlerOptions> = { cors: { origins: [APP] } };
const EXPOSED = "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After";

type Headers = Readonly<Record<string, string>>;

function ping(headers: Headers): RequestInit {
  return post(request("ping"), headers);
}

/** The headers of CORS, and what a cache must look at. */
function corsOf({ headers }: Response): Headers {
  return Object.fromEntries(
    [...headers].filter(([name]) => name === "vary" || name.startsWith("access-control-")),
  );
}

/** The CORS headers of the answer to a preflight for POST. */
async function preflightOf(
  t: TestContext,
  options: Partial<HandlerOptions>,
  asked: Headers = {},
  path = "/mcp",
) {
  const headers = { origin: APP, "access-control-request-method": "POST", ...asked };
  const response = await watchedHandler(t, options).fetch(path, { method: "OPTIONS", headers });
  assert.deepEqual([response.status, await response.text()], [204, ""]);
  return corsOf(response);
}

describe("a page that is invited", () => {
  for (const options of [
    LISTED,
    { corsOrigins: [APP] },
    { cors: { origins: (origin: string) => origin === APP } },
  ]) {
    test(`may call and read: ${JSON.stringify(options)}`, async (t) => {
      const response = await watchedHandler(t, options).fetch("/mcp", ping({ origin: APP }));
      assert.equal(response.status, 200);
      assert.deepEqual(corsOf(response), {
        "access-control-allow-origin": APP,
        "access-control-expose-headers": EXPOSED,
        vary: "Origin",
      });
    });
  }

  test("is one of all pages where all are, and then no answer depends on the page", async (t) => {
    for (const options of [{ corsOrigins: ["*"] }, { cors: { origins: [APP, "*"] } }]) {
      const { fetch } = watchedHandler(t, options);
      for (const headers of [{ origin: EVIL }, { origin: "null" }, {}] as Headers[]) {
        const response = await fetch("/mcp", ping(headers));
        assert.equal(response.status, 200);
        assert.deepEqual(corsOf(response), {
          "access-control-allow-origin": "*",
          "access-control-expose-headers": EXPOSED,
        });
      }
    }
  });

  test("may have the browser send its cookies, where the operator says so", async (t) => {
    const cors = { origins: [APP], credentials: true };
    const response = await watchedHandler(t, { cors }).fetch("/mcp", ping({ origin: APP }));
    assert.equal(response.headers.get("access-control-allow-credentials"), "true");
    const allowed = await preflightOf(t, { cors }, { "access-control-request-headers": "authorization" });
    assert.equal(allowed["access-control-allow-credentials"], "true");
    assert.equal(allowed["access-control-allow-headers"], "authorization");
  });

  const answers: readonly (readonly [status: number, path: string, init: RequestInit, options?: object])[] = [
    [401, "/mcp", post(request("ping")), { authKeys: ["k3y"] }],
    [404, "/nowhere", post(request("ping"))],
    [404, "/mcp/nobody", post(call("any"))],
    [405, "/mcp", { method: "DELETE" }],
    [413, "/mcp", post(request("ping")), { maxBodyBytes: 10 }],
    [415, "/mcp", { method: "POST", body: "{}" }],
    [400, "/mcp", post("{")],
    [403, "/mcp", post(request("ping")), { allowedHosts: ["mcp.example"] }],
    [202, "/mcp", post({ jsonrpc: "2.0", method: "notifications/initialized" })],
    [200, "/health", {}],
  ];
  for (const [status, path, init, options] of answers) {
    test(`may read a ${status} too`, async (t) => {
      const { fetch } = watchedHandler(t, { ...LISTED, ...options });
      const response = await fetch(path, { ...init, headers: { ...init.headers, origin: APP } as Headers });
      assert.deepEqual([response.status, response.headers.get("access-control-allow-origin")], [status, APP]);
    });
  }

  test("may read that the host stops", async () => {
    const handler = createHandler({ mcpServers: { x: { command: "x" } }, allowAnonymous: true, ...LISTED });
    handler.drain();
    const asked = new Request("http://localhost/mcp", post(call("any"), { origin: APP }));
    const response = await handler.fetch(asked);
    assert.deepEqual([response.status, response.headers.get("access-control-allow-origin")], [503, APP]);
    await handler.close();
  });
});

describe("a page that is not invited", () => {
  const options: readonly Partial<HandlerOptions>[] = [
    {},
    LISTED,
    { cors: { origins: () => false } },
    { cors: { origins: () => Promise.reject(new Error("no list")) } },
  ];
  for (const given of options) {
    test(`is refused whatever it asks, and told nothing: ${JSON.stringify(given)}`, async (t) => {
      const { fetch, started } = watchedHandler(t, given);
      const vary: Headers = given.cors ? { vary: "Origin" } : {};
      for (const origin of [EVIL, "null"]) {
        const preflight = { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } };
        for (const init of [ping({ origin }), preflight, { headers: { origin } }]) {
          const response = await fetch("/health", init);
          assert.deepEqual(corsOf(response), vary);
          await refusalOf(response, 403, -32600);
        }
      }
      assert.deepEqual(started(), { processes: 0, messages: 0 });
    });
  }

  test("leaves its mark on answers to others: a cache must not give them to the page that is", async (t) => {
    const { fetch } = watchedHandler(t, LISTED);
    assert.deepEqual(corsOf(await fetch("/mcp", ping({}))), { vary: "Origin" });
  });

  test("but comes from an allowed host, is let in and reads nothing", async (t) => {
    const { fetch } = watchedHandler(t, { allowedHosts: ["localhost"] });
    const origin = "http://localhost:6274";
    const response = await fetch("/mcp", ping({ origin }));
    assert.deepEqual([response.status, corsOf(response)], [200, {}]);
    const preflight = await fetch("/mcp", { method: "OPTIONS", headers: { origin } });
    assert.deepEqual([preflight.status, corsOf(preflight)], [204, {}]);
  });
});

describe("a preflight", () => {
  test("tells methods, headers and how long that holds", async (t) => {
    const asked = "content-type, mcp-protocol-version, x-api-key";
    assert.deepEqual(await preflightOf(t, LISTED, { "access-control-request-headers": asked }), {
      "access-control-allow-methods": "POST, GET, DELETE, OPTIONS",
      "access-control-allow-headers": asked,
      "access-control-allow-origin": APP,
      "access-control-expose-headers": EXPOSED,
      "access-control-max-age": "86400",
      vary: "Access-Control-Request-Headers, Origin",
    });
  });

  test("is answered for what does not exist too: its page could not read the 404", async (t) => {
    const allowed = await preflightOf(t, LISTED, {}, "/.well-known/oauth-protected-resource");
    assert.equal(allowed["access-control-allow-origin"], APP);
  });

  test("tells what the operator says in place of that", async (t) => {
    const cors = {
      origins: [APP],
      methods: ["POST"],
      allowedHeaders: ["Content-Type", "X-Own"],
      exposedHeaders: ["X-Own"],
      maxAgeSeconds: 0,
    };
    assert.deepEqual(await preflightOf(t, { cors }, { "access-control-request-headers": "x-other" }), {
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "Content-Type, X-Own",
      "access-control-allow-origin": APP,
      "access-control-expose-headers": "X-Own",
      "access-control-max-age": "0",
      vary: "Access-Control-Request-Headers, Origin",
    });
  });

  test("repeats no more than names, and not without end", async (t) => {
    const long = "x".repeat(128);
    const wrong = ["", " ", "a b", "a:b", "a(b)", "ä", `${long}x`].map((name) => encodeURI(name));
    const asked = ["x-a", ...wrong.map((name) => decodeURI(name).replace("ä", "\xe4")), long];
    const echoed = await preflightOf(t, LISTED, { "access-control-request-headers": asked.join(",") });
    assert.equal(echoed["access-control-allow-headers"], `x-a, ${long}`);
    const many = Array.from({ length: 100 }, (_, index) => `x-${index}`).join(",");
    const some = await preflightOf(t, LISTED, { "access-control-request-headers": many });
    assert.equal(some["access-control-allow-headers"]?.split(", ").length, 64);
    const none = await preflightOf(t, LISTED, { "access-control-request-headers": ";" });
    assert.equal("access-control-allow-headers" in none, false);
  });

  test("lets the Internet call a local address when it asks for that", async (t) => {
    const asked = { "access-control-request-private-network": "true" };
    const name = "access-control-allow-private-network";
    assert.equal((await preflightOf(t, LISTED, asked))[name], "true");
    assert.equal((await preflightOf(t, LISTED))[name], undefined);
  });
});

const WRONG: readonly (readonly [options: Partial<HandlerOptions>, message: RegExp])[] = [
  [{ cors: { origins: ["*"], credentials: true } }, /cors\.credentials/],
  [{ cors: { origins: [APP, "*"], credentials: true } }, /cors\.credentials/],
  [{ cors: { origins: [APP], credentials: true, methods: ["*"] } }, /cors\.credentials/],
  [{ cors: { origins: [APP], credentials: true, exposedHeaders: ["*"] } }, /cors\.credentials/],
  [{ cors: { origins: [APP] }, corsOrigins: [APP] }, /corsOrigins/],
  [{ cors: { origins: [APP], methods: ["POST, GET"] } }, /cors\.methods/],
  [{ cors: { origins: [APP], allowedHeaders: ["a\r\nb"] } }, /cors\.allowedHeaders/],
  [{ cors: { origins: [APP], exposedHeaders: [""] } }, /cors\.exposedHeaders/],
  [{ cors: { origins: [APP], maxAgeSeconds: -1 } }, /cors\.maxAgeSeconds/],
  [{ cors: { origins: [APP], maxAgeSeconds: 0.5 } }, /cors\.maxAgeSeconds/],
  [{ corsOrigins: ["example.com"] }, /cors: "example\.com"/],
];

for (const [options, message] of WRONG) {
  test(`is no configuration: ${JSON.stringify(options)}`, () => {
    const mcpServers = { x: { command: "x" } };
    assert.throws(() => createHandler({ mcpServers, ...options }), { name: "ConfigurationError", message });
  });
}

test("every origin may be let in by a function, and then with cookies", async (t) => {
  const cors: CorsOptions = { origins: () => true, credentials: true };
  const response = await watchedHandler(t, { cors }).fetch("/mcp", ping({ origin: "null" }));
  assert.deepEqual(corsOf(response), {
    "access-control-allow-credentials": "true",
    "access-control-allow-origin": "null",
    "access-control-expose-headers": EXPOSED,
    vary: "Origin",
  });
});
