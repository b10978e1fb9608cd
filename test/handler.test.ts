import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../lib/index.ts";
import type { HandlerOptions } from "../lib/index.ts";
import { FIXTURES, STATE_SECRET, contract, contractServers } from "./contract.ts";
import { post, request } from "./support/rpc.ts";
import { refusalOf, watchedHandler } from "./support/unstarted.ts";

contract("handler.fetch in memory", async (token) => {
  const ends = new Set<Promise<unknown>>();
  const handler = createHandler({
    mcpServers: contractServers(FIXTURES, token),
    allowAnonymous: true,
    stateSecrets: [STATE_SECRET],
  });
  return Promise.resolve({
    fetch: async (path, init) => {
      const request = new Request(`http://localhost${path}`, init);
      const response = await handler.fetch(request, { waitUntil: (promise) => ends.add(promise) });
      init?.signal?.throwIfAborted();
      return response;
    },
    settled: async () => {
      await Promise.all(ends);
      return [];
    },
    stop: () => handler.close(),
  });
});

const BOTH: Partial<HandlerOptions> = { transports: ["mcp", "sse"] };
const GET = { headers: { accept: "text/event-stream" } };
const LONG = "x".repeat(1000);
const POST = post(request("tools/list"));

async function messageOf(
  t: TestContext,
  options: Partial<HandlerOptions>,
  [path, init, status]: readonly [path: string, init: RequestInit, status: number],
): Promise<string> {
  const { fetch, started } = watchedHandler(t, options);
  const [{ error }] = await refusalOf(await fetch(path, init), status, -32600);
  assert.deepEqual(started(), { processes: 0, messages: 0 });
  return error.message;
}

describe("where no server is the default, a hint names the paths that there are", () => {
  const mcpServers = { secret1: { command: "x" }, secret2: { command: "x" } };
  const paths = { mcp: "/x/y", sse: "/events" };
  const rows: readonly (readonly [path: string, init: RequestInit, options: object, hint: string])[] = [
    ["/mcp", POST, BOTH, "/mcp/NAME"],
    ["/sse", GET, BOTH, "/sse/NAME"],
    ["/x/y", POST, { ...BOTH, paths }, "/x/y/NAME"],
    ["/events", GET, { ...BOTH, paths }, "/events/NAME"],
    ["/", POST, { paths: { mcp: "/" } }, "/NAME"],
    ["/mcp", post(request("initialize")), { ...BOTH, sessions: "shared" }, "/mcp/NAME"],
    ["/mcp", post(request("initialize")), { ...BOTH, sessions: "independent" }, "/mcp/NAME"],
    ["/mcp", post(request("tools/list")), { sessions: "shared", paths: { mcp: "/mcp/" } }, "/mcp/NAME"],
  ];
  for (const [path, init, options, hint] of rows) {
    test(`${init.method ?? "GET"} ${path} with ${JSON.stringify(options)}`, async (t) => {
      assert.equal(
        await messageOf(t, { mcpServers, ...options }, [path, init, 404]),
        `Several servers are configured and none is the default: use ${hint}, as GET /servers lists them`,
      );
    });
  }
});

describe("the method of the other transport is told where that one is", () => {
  const rows: readonly (readonly [path: string, init: RequestInit, options: object, message: string])[] = [
    ["/mcp", GET, BOTH, "Only POST is served here: HTTP+SSE is at /sse"],
    ["/mcp/echo", GET, BOTH, "Only POST is served here: HTTP+SSE is at /sse/echo"],
    ["/servers/a%20b/mcp", GET, BOTH, "Only POST is served here: HTTP+SSE is at /sse/a%20b"],
    ["/sse", POST, BOTH, "Only GET is served here: streamable HTTP is at /mcp"],
    ["/sse/echo", POST, BOTH, "Only GET is served here: streamable HTTP is at /mcp/echo"],
    ["/sse", POST, { ...BOTH, paths: { mcp: "/" } }, "Only GET is served here: streamable HTTP is at /"],
    [`/mcp/${LONG}`, GET, BOTH, `Only POST is served here: HTTP+SSE is at /sse/${LONG.slice(0, 128)}…`],
    ["/mcp", GET, {}, "Only POST is served here"],
    ["/sse", POST, { transports: ["sse"] }, "Only GET is served here"],
    ["/mcp", { method: "DELETE" }, BOTH, "Only POST is served here"],
    ["/sse", { method: "DELETE" }, BOTH, "Only GET is served here"],
  ];
  for (const [path, init, options, message] of rows) {
    test(`${init.method ?? "GET"} ${path} with ${JSON.stringify(options)}`, async (t) => {
      assert.equal(await messageOf(t, options, [path, init, 405]), message);
    });
  }
});

describe("a caller without a key", () => {
  const options: Partial<HandlerOptions> = {
    ...BOTH,
    mcpServers: { secret1: { command: "x" }, secret2: { command: "x" } },
    authKeys: ["k3y"],
  };

  test("is told at / what is served, and of no server", async (t) => {
    for (const init of [{}, POST]) {
      assert.equal(
        await messageOf(t, options, ["/", init, 404]),
        "There is nothing at this path: served are /mcp (streamable HTTP), /sse (HTTP+SSE), /servers, /health",
      );
    }
  });

  test("is told how to send one, whichever server is asked for, there or not", async (t) => {
    const messages = new Set<string>();
    for (const path of ["/mcp", "/sse", "/mcp/secret1", "/mcp/nobody", "/sse/secret1", "/servers"]) {
      for (const init of [GET, POST]) messages.add(await messageOf(t, options, [path, init, 401]));
    }
    assert.equal(messages.size, 1);
    assert.match([...messages].join(), /Authorization: Bearer KEY.*X-API-Key: KEY.*\?auth_key=KEY/);
  });
});
