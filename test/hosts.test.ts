import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createAllowedHosts, underAllowedName } from "../lib/hosts.ts";
import { ConfigurationError, createHandler } from "../lib/index.ts";

const ROWS: readonly (readonly [
  entries: readonly string[],
  letIn: readonly string[],
  others: readonly string[],
])[] = [
  [
    ["mcp.example.com"],
    ["mcp.example.com", "MCP.example.COM", "mcp.example.com:80", "mcp.example.com:8443"],
    ["example.com", "a.mcp.example.com", "mcp.example.com.evil.com", "mcp-example.com", "mcp.example.com."],
  ],
  [["MCP.Example.com"], ["mcp.example.com"], ["mcp.example.org"]],
  [
    ["mcp.example.com:8443"],
    ["mcp.example.com:8443"],
    ["mcp.example.com", "mcp.example.com:443", "mcp.example.com:84430", "evil.com:8443"],
  ],
  [
    ["mcp.example.com:443"],
    ["mcp.example.com", "mcp.example.com:443"],
    ["mcp.example.com:80", "mcp.example.com:8000"],
  ],
  [["a.com:80"], ["a.com", "a.com:80"], ["a.com:443"]],
  [["a.com:0443"], ["a.com:443"], ["a.com:0"]],
  [
    ["*.example.com"],
    ["a.example.com", "a.b.example.com:8000", "A_1.example.com"],
    [
      "example.com",
      ".example.com",
      "a..example.com",
      "evilexample.com",
      "a.example.com.evil.com",
      "evil.com#.example.com",
      "evil.com/.example.com",
      "evil.com\\.example.com",
      "a.example.com@evil.com",
    ],
  ],
  [["*.example.com:8000"], ["a.example.com:8000"], ["a.example.com", "example.com:8000"]],
  [["münchen.example"], ["xn--mnchen-3ya.example", "münchen.example"], ["munchen.example"]],
  [["*.münchen.example"], ["a.xn--mnchen-3ya.example"], ["xn--mnchen-3ya.example"]],
  [["[::1]"], ["[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]"], ["::1", "[::2]", "localhost"]],
  [["[::1]:8000"], ["[::1]:8000"], ["[::1]", "[::1]:8001"]],
  [["10.0.0.5"], ["10.0.0.5:8000"], ["10.0.0.50", "10.0.0", "a10.0.0.5"]],
  [
    ["a.com", "b.com"],
    ["a.com", "b.com"],
    ["a.com, b.com", "c.com"],
  ],
  [["*"], ["anything.example", "10.0.0.5:8000", "localhost"], []],
  [["localhost", "*"], ["anything.example"], []],
  [
    ["localhost", "[::1]"],
    ["localhost", "localhost:8000", "[::1]"],
    [
      "evil@localhost",
      "evil:x@localhost",
      "localhost/x",
      "localhost/",
      "/localhost",
      "//localhost",
      "\\localhost",
      "localhost\\x",
      "localhost?x",
      "localhost#x",
      "local\thost",
      " localhost",
      "evil@[::1]",
      "",
    ],
  ],
];

for (const [entries, letIn, others] of ROWS) {
  test(`${JSON.stringify(entries)} lets in ${letIn.join(" and ")}, and no other`, () => {
    const { includes } = createAllowedHosts(entries);
    for (const host of letIn) assert.equal(includes(host), true, host);
    for (const host of others) assert.equal(includes(host), false, host);
  });
}

describe("pages of a host", () => {
  test("that is named are our own, on the ports that are let in", () => {
    const { owns } = createAllowedHosts(["localhost", "mcp.example.com:443", "[::1]"]);
    for (const origin of ["http://localhost:3000", "https://localhost", "https://mcp.example.com"]) {
      assert.equal(owns(origin), true, origin);
    }
    for (const origin of ["http://mcp.example.com", "https://mcp.example.com:8443", "null", "file://", ""]) {
      assert.equal(owns(origin), false, origin);
    }
  });

  test("that only a pattern lets in are strangers: others may own such a name", () => {
    const origins = ["https://a.example.com", "https://evil.com", "null", "http://localhost"];
    for (const entries of [["*"], ["*.example.com"]]) {
      for (const origin of origins) assert.equal(createAllowedHosts(entries).owns(origin), false, origin);
    }
    assert.equal(createAllowedHosts(["*", "localhost"]).owns("http://localhost:3000"), true);
  });
});

const WRONG = [
  "",
  " ",
  "http://foo",
  "https://mcp.example.com",
  "mcp.example.com/",
  "mcp.example.com/mcp",
  "mcp.example.com?x",
  "mcp.example.com#x",
  "user@mcp.example.com",
  "a.com b.com",
  "a.com,b.com",
  '"a.com"',
  ".example.com",
  "a..com",
  ".",
  "*.",
  "*example.com",
  "*.*.com",
  "a.*.com",
  "*.*",
  "**",
  "*:8000",
  "*.127.0.0.1",
  "*.[::1]",
  "::1",
  "[::1",
  "[]",
  "[:::]",
  "256.0.0.1",
  "a.com:",
  "a.com:port",
  "a.com:0",
  "a.com:65536",
  "a.com:*",
  ":8000",
  "a.com\n",
];

for (const entry of WRONG) {
  test(`${JSON.stringify(entry)} is not taken for a host`, () => {
    const options = { mcpServers: { a: { command: "x" } }, allowedHosts: ["localhost", entry] };
    assert.throws(() => createHandler(options), {
      name: ConfigurationError.name,
      message: `allowedHosts: "${entry}" is no host: expected mcp.example.com, *.example.com, mcp.example.com:8443, [::1] or *`,
    });
  });
}

test("a list without a host is refused: nothing could be answered", () => {
  const options = { mcpServers: { a: { command: "x" } }, allowedHosts: [] };
  const message = 'allowedHosts: the list is empty: leave it out, or name "*", to let any host in';
  assert.throws(() => createHandler(options), new ConfigurationError(message));
});

test("a long host is compared in no time", () => {
  const { includes } = createAllowedHosts(["*.example.com"]);
  const startedAt = performance.now();
  for (const piece of ["a.", "a", ".", "-"]) assert.equal(includes(`${piece.repeat(50_000)}evil.com`), false);
  assert.ok(performance.now() - startedAt < 1000);
});

describe("a host asks itself", () => {
  const rows: readonly (readonly [url: string, entries: readonly string[] | undefined, asked: string])[] = [
    ["http://127.0.0.1:8000", undefined, "http://127.0.0.1:8000"],
    ["http://127.0.0.1:8000", ["localhost", "127.0.0.1"], "http://127.0.0.1:8000"],
    ["http://127.0.0.1:8000", ["*", "a.com"], "http://127.0.0.1:8000"],
    ["http://[::1]:8000", ["[::1]"], "http://[::1]:8000"],
    ["http://127.0.0.1:8000", ["mcp.example.com", "b.com"], "http://mcp.example.com"],
    ["https://127.0.0.1:8000", ["mcp.example.com:8443"], "https://mcp.example.com:8443"],
    ["http://127.0.0.1:8000", ["mcp.example.com:443"], "http://mcp.example.com:443"],
    ["http://127.0.0.1:8000", ["127.0.0.1:9000"], "http://127.0.0.1:9000"],
    ["http://127.0.0.1:8000", ["*.example.com"], "http://mayfly.example.com"],
    ["http://127.0.0.1:8000", ["München.example"], "http://xn--mnchen-3ya.example"],
  ];
  for (const [url, entries, asked] of rows) {
    test(`at ${url} as ${asked} where ${JSON.stringify(entries)} is let in`, () => {
      assert.equal(underAllowedName(url, entries), asked);
      if (entries) assert.equal(createAllowedHosts(entries).includes(new URL(asked).host), true);
    });
  }
});
