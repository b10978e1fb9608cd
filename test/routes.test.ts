import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MayflyError } from "../lib/errors.ts";
import { completePaths } from "../lib/paths.ts";
import { createRouter } from "../lib/routes.ts";
import type { Route } from "../lib/routes.ts";
import { effortOf } from "./support/effort.ts";

function route(path: string, paths = {}, transports: readonly ("mcp" | "sse")[] = ["mcp", "sse"]): Route {
  return createRouter(transports, completePaths(paths))(new URL(`http://localhost${path}`));
}

const mcp = (server?: string): Route => ({ kind: "mcp", server });
const sse = (endpoint: string, server?: string): Route => ({ kind: "sse", server, endpoint });
const messages: Route = { kind: "messages" };
const servers: Route = { kind: "servers" };
const health: Route = { kind: "health" };

const ROUTES: readonly (readonly [path: string, route: Route | undefined])[] = [
  ["/mcp", mcp()],
  ["/mcp/", mcp()],
  ["/mcp?auth_key=k", mcp()],
  ["/mcp/github", mcp("github")],
  ["/mcp/github/", mcp("github")],
  ["/servers/github/mcp", mcp("github")],
  ["/servers/github/mcp/", mcp("github")],
  ["/servers/mcp/mcp", mcp("mcp")],
  ["/sse", sse("messages")],
  ["/sse/", sse("../messages")],
  ["/sse/name", sse("../messages", "name")],
  ["/sse/name/", sse("../../messages", "name")],
  ["/servers/name/sse", sse("../../messages", "name")],
  ["/servers/name/sse/", sse("../../../messages", "name")],
  ["/messages?session_id=1", messages],
  ["/messages/", messages],
  ["/messages/name?sessionId=1", messages],
  ["/servers/name/messages", messages],
  ["/servers", servers],
  ["/servers/", servers],
  ["/health?deep=1", health],
  ["/health/", health],
  ["/healthz", health],
  ["/status", health],
  ["/ping", health],
];

describe("a path goes to its route", () => {
  for (const [path, expected] of ROUTES) test(path, () => assert.deepEqual(route(path), expected));
});

describe("a name in a path is read as a URL writes it", () => {
  const names: readonly (readonly [written: string, read: string])[] = [
    ["a%2Db", "a-b"],
    ["my%20server", "my server"],
    ["%C3%BC", "ü"],
    ["a%2Fb", "a/b"],
    ["%E0%A4%A", "%E0%A4%A"],
    ["a+b", "a+b"],
    ["constructor", "constructor"],
  ];
  for (const [written, read] of names) {
    test(written, () => {
      assert.deepEqual(route(`/mcp/${written}`), mcp(read));
      assert.deepEqual(route(`/servers/${written}/mcp`), mcp(read));
      assert.deepEqual(route(`/sse/${written}`), sse("../messages", read));
    });
  }
});

const OWN = { mcp: "/a/b/", sse: "/a/events", messages: "/in" };

describe("paths of the operator's own", () => {
  const rows: readonly (readonly [path: string, paths: object, route: Route])[] = [
    ["/a/b", OWN, mcp()],
    ["/a/b/x", OWN, mcp("x")],
    ["/servers/x/mcp", OWN, mcp("x")],
    ["/a/events", OWN, sse("../in")],
    ["/a/events/x", OWN, sse("../../in", "x")],
    ["/servers/x/sse", OWN, sse("../../in", "x")],
    ["/in?session_id=1", OWN, messages],
    ["/", { mcp: "/" }, mcp()],
    ["/x", { mcp: "/" }, mcp("x")],
    ["/sse", { mcp: "/" }, sse("messages")],
    ["/messages", { mcp: "/" }, messages],
    ["/mcp/sse", { sse: "/mcp/sse" }, sse("../messages")],
    ["/sse/messages", { messages: "/sse/messages" }, messages],
    ["/sse", { messages: "/sse/messages" }, sse("sse/messages")],
    ["/sse", { messages: "/" }, sse("./")],
    ["/sse", { messages: "/a:b" }, sse("./a:b")],
    ["/my%20path", { mcp: "/my path" }, mcp()],
    ["/%C3%BC/x", { mcp: "/ü" }, mcp("x")],
  ];
  for (const [path, paths, expected] of rows) {
    test(`${path} with ${JSON.stringify(paths)}`, () => assert.deepEqual(route(path, paths), expected));
  }

  test("a client finds the endpoint behind a proxy that cuts a prefix off", () => {
    for (const path of ["/sse", "/sse/", "/sse/x", "/servers/x/sse"]) {
      const { endpoint } = route(path) as { endpoint: string };
      const seen = new URL(`http://proxy/some/prefix${path}`);
      assert.equal(new URL(endpoint, seen).pathname, "/some/prefix/messages");
    }
  });
});

function refusal(code: string): (error: unknown) => boolean {
  return (error) => error instanceof MayflyError && error.code === code;
}

describe("what is not served", () => {
  const nothing = ["/", "/mc", "/mcpx", "/mcp/a/b", "/mcp//", "//mcp", "/servers/a", "/servers/a/b", "/MCP"];
  for (const path of nothing) {
    test(`${path} is nothing`, () => assert.throws(() => route(path), refusal("ROUTE_NOT_FOUND")));
  }

  const everywhere: readonly (readonly [
    paths: object,
    transports: readonly ("mcp" | "sse")[],
    said: string,
  ])[] = [
    [{}, ["mcp", "sse"], "/mcp (streamable HTTP), /sse (HTTP+SSE), /servers, /health"],
    [{}, ["mcp"], "/mcp (streamable HTTP), /servers, /health"],
    [{}, ["sse"], "/sse (HTTP+SSE), /servers, /health"],
    [OWN, ["mcp", "sse"], "/a/b (streamable HTTP), /a/events (HTTP+SSE), /servers, /health"],
    [{ sse: "/" }, ["sse"], "/ (HTTP+SSE), /servers, /health"],
  ];
  for (const [paths, transports, said] of everywhere) {
    test(`a refusal names what is served: ${said}`, () => {
      const message = `There is nothing at this path: served are ${said}`;
      assert.throws(() => route("/a/b/c/d", paths, transports), { message });
    });
  }

  test("paths of the operator's own take the place of the usual ones", () => {
    for (const path of ["/mcp", "/sse", "/messages"]) {
      assert.throws(() => route(path, OWN), refusal("ROUTE_NOT_FOUND"));
    }
  });

  test("HTTP+SSE is refused where it is left out, and says so", () => {
    for (const path of ["/sse", "/sse/a", "/servers/a/sse", "/messages", "/servers/a/messages"]) {
      assert.throws(() => route(path, {}, ["mcp"]), refusal("ADAPTER_ONLY"));
    }
  });

  test("streamable HTTP is refused where it is left out, and says so", () => {
    for (const path of ["/mcp", "/mcp/a", "/servers/a/mcp"]) {
      assert.throws(() => route(path, {}, ["sse"]), refusal("TRANSPORT_NOT_SERVED"));
    }
  });
});

test("a path of a megabyte is as quick as its length", async () => {
  const tookMs = await effortOf(routeLongPaths);
  assert.ok(tookMs < 5000, `routing is not linear: ${tookMs} milliseconds`);
});

function routeLongPaths(): void {
  for (const piece of ["/", "a", "/a", "%2F", "%", "/servers/", "/.."]) {
    for (const start of ["/mcp/", "/servers/", "/sse/", "/"]) {
      const pathname = start + piece.repeat(1_000_000 / piece.length);
      const url = { pathname } as URL;
      try {
        createRouter(["mcp", "sse"], completePaths())(url);
      } catch (error) {
        assert.ok(refusal("ROUTE_NOT_FOUND")(error));
      }
    }
  }
}
