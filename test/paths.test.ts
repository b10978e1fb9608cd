import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createHandler } from "../lib/index.ts";
import { completePaths, relative } from "../lib/paths.ts";

test("paths that are left out have their defaults", () => {
  assert.deepEqual(completePaths(), { mcp: "/mcp", sse: "/sse", messages: "/messages" });
  assert.deepEqual(completePaths({ mcp: "/a/b/" }), { mcp: "/a/b", sse: "/sse", messages: "/messages" });
});

describe("a path is refused", () => {
  const rows: readonly (readonly [what: string, paths: object, reason: RegExp])[] = [
    ["without a slash", { mcp: "mcp" }, /^paths\.mcp: expected a slash at the beginning, found "mcp"$/],
    ["that is empty", { sse: "" }, /^paths\.sse: expected a slash/],
    ["that is a URL", { mcp: "http://a/mcp" }, /^paths\.mcp: expected a slash/],
    ["with a question mark", { messages: "/m?a=b" }, /^paths\.messages: .* found "\/m\?a=b"$/],
    ["with a fragment", { mcp: "/m#a" }, /^paths\.mcp: /],
    ["with a backslash", { mcp: "/\\evil" }, /^paths\.mcp: /],
    ["that leads up", { mcp: "/a/../b" }, /^paths\.mcp: .*\.\./],
    ["that leads up in another writing", { mcp: "/a/%2E./b" }, /^paths\.mcp: .*\.\./],
    ["that begins like a host", { mcp: "//host/mcp" }, /^paths\.mcp: .*\/\//],
    ["that another has", { mcp: "/x", sse: "/x/" }, /^paths\.sse: is the path of mcp already$/],
    ["that is the default of another", { sse: "/messages" }, /^paths\.messages: is the path of sse already$/],
    ["that is Mayfly's own", { mcp: "/health/" }, /^paths\.mcp: \/health is Mayfly's own$/],
    ["that is another name of one", { sse: "/status" }, /^paths\.sse: \/status is Mayfly's own$/],
  ];
  for (const [what, paths, message] of rows) {
    test(what, () => {
      const expected = { name: "ConfigurationError", message };
      assert.throws(() => completePaths(paths), expected);
      assert.throws(() => createHandler({ mcpServers: { a: { command: "x" } }, paths }), expected);
    });
  }
});

test("a relative reference leads from any path to any other", () => {
  const paths = ["/", "/a", "/a/", "/a/b", "/a/b/", "/b/a", "/a:b", "/a:b/c", "/c/a:b"];
  for (const from of paths) {
    for (const to of paths) {
      const { pathname } = new URL(relative(from, to), `http://localhost${from}`);
      assert.equal(pathname, to, `from ${from}: ${relative(from, to)}`);
    }
  }
});
