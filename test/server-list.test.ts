import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../lib/adapters/node.ts";
import type { RunningServer, ServeOptions } from "../lib/adapters/node.ts";
import { createHandler } from "../lib/index.ts";
import { within } from "./support/deadline.ts";

const WAIT_MS = 5000;
const TWO = { mcpServers: { a: { command: "x" }, b: { command: "y" } }, default: "b" };

interface Listed {
  readonly name: string;
  readonly default: boolean;
  readonly paths: readonly string[];
}

async function setUp(t: TestContext, options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const server = await serve({ ...TWO, port: 0, ...options });
  t.after(() => within(server.close(0), WAIT_MS, "the adapter closes"));
  return server;
}

function get(server: RunningServer, path = "/servers", init: RequestInit = {}): Promise<Response> {
  return within(fetch(`${server.url}${path}`, init), WAIT_MS, `an answer of ${path}`);
}

async function listOf(response: Response): Promise<readonly Listed[]> {
  assert.equal(response.status, 200);
  return ((await response.json()) as { servers: Listed[] }).servers;
}

describe("GET /servers", () => {
  test("lists the names, which of them answers on the bare path, and where each is", async (t) => {
    const response = await get(await setUp(t, { transports: ["mcp", "sse"] }));
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.deepEqual(await listOf(response), [
      { name: "a", default: false, paths: ["mcp/a", "sse/a"] },
      { name: "b", default: true, paths: ["mcp/b", "sse/b"] },
    ]);
  });

  test("lists the only server as the one that answers on the bare path", async (t) => {
    const server = await setUp(t, { mcpServers: { a: TWO.mcpServers.a }, default: "a" });
    assert.deepEqual(
      (await listOf(await get(server))).map((entry) => entry.default),
      [true],
    );
  });

  for (const [asked, path] of [
    ["/servers", "our/own/a"],
    ["/servers/", "../our/own/a"],
  ] as const) {
    test(`gives paths that are relative to ${asked}, for a proxy that cuts a prefix off`, async (t) => {
      const options = { paths: { mcp: "/our/own" }, transports: ["mcp"] } as const;
      const [first] = await listOf(await get(await setUp(t, options), asked));
      assert.deepEqual(first?.paths, [path]);
      const { pathname } = new URL(path, `https://proxy.example/prefix${asked}`);
      assert.equal(pathname, "/prefix/our/own/a");
    });
  }

  test("tells nothing of how a server is run", async (t) => {
    const secret = { command: "secret-command", args: ["secret-arg"], env: { SECRET: "secret-value" } };
    const server = await setUp(t, { mcpServers: { a: secret }, default: "a" });
    assert.doesNotMatch(await (await get(server)).text(), /secret/i);
  });

  test("needs the key", async (t) => {
    const server = await setUp(t, { authKeys: ["k3y"] });
    for (const path of ["/servers", "/servers?auth_key=wrong"]) {
      const response = await get(server, path);
      assert.equal(response.status, 401);
      assert.doesNotMatch(await response.text(), /"servers"/);
    }
    assert.equal((await listOf(await get(server, "/servers?auth_key=k3y"))).length, 2);
  });

  test("answers HEAD without a body", async (t) => {
    const response = await get(await setUp(t), "/servers", { method: "HEAD" });
    assert.deepEqual([response.status, await response.text()], [200, ""]);
  });

  for (const method of ["POST", "PUT", "DELETE"]) {
    test(`refuses ${method} and says what is served`, async (t) => {
      const response = await get(await setUp(t), "/servers", { method });
      assert.deepEqual([response.status, response.headers.get("allow")], [405, "GET, HEAD"]);
      const { error } = (await response.json()) as { error: { message: string } };
      assert.equal(error.message, "Only GET, HEAD is served here");
    });
  }

  test("lists what is configured now", async (t) => {
    const server = await setUp(t, { transports: ["mcp"] });
    assert.equal((await listOf(await get(server))).length, 2);
    server.handler.reconfigure({ mcpServers: { c: { command: "x" }, a: TWO.mcpServers.a }, default: "c" });
    assert.deepEqual(await listOf(await get(server)), [
      { name: "c", default: true, paths: ["mcp/c"] },
      { name: "a", default: false, paths: ["mcp/a"] },
    ]);
  });
});

test("a function lists its servers too", async () => {
  const handler = createHandler({ ...TWO, allowAnonymous: true });
  const servers = await listOf(await handler.fetch(new Request("http://localhost/servers")));
  assert.deepEqual(servers[0], { name: "a", default: false, paths: ["mcp/a"] });
  await handler.close();
});
