import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as adapter from "../lib/adapters/node.ts";
import * as bridge from "../lib/connect/index.ts";
import * as library from "../lib/index.ts";
import { MAYFLY } from "../lib/version.ts";

const MANIFEST = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly [key: string]: unknown;
};

test("Mayfly calls itself what its package is called", () => {
  assert.deepEqual(MAYFLY, { name: MANIFEST["name"], version: MANIFEST["version"] });
});

test("the package offers these paths, as modules", () => {
  assert.equal(MANIFEST["type"], "module");
  assert.deepEqual(MANIFEST["exports"], {
    ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./node": { types: "./dist/adapters/node.d.ts", default: "./dist/adapters/node.js" },
    "./vercel": { types: "./dist/adapters/vercel.d.ts", default: "./dist/bundle/vercel.js" },
    "./lambda": { types: "./dist/adapters/lambda.d.ts", default: "./dist/bundle/lambda.js" },
    "./connect": { types: "./dist/connect/index.d.ts", default: "./dist/connect/index.js" },
    "./package.json": "./package.json",
  });
  assert.deepEqual(MANIFEST["bin"], { mayfly: "dist/cli/main.js" });
});

test("the package holds these files", () => {
  const files = ["dist", "docs", "examples", "README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md"];
  assert.deepEqual(MANIFEST["files"], files);
});

test("the library exports these names", () => {
  assert.deepEqual(Object.keys(library).toSorted(), [
    "ConfigurationError",
    "createEventStore",
    "createHandler",
    "parseMcpJson",
    "parseMcpServerConfig",
  ]);
});

test("the Node adapter exports these names", () => {
  assert.deepEqual(Object.keys(adapter).toSorted(), ["findRungs", "serve", "toNodeHandler"]);
});

test("the bridge to a remote server exports these names", () => {
  assert.deepEqual(Object.keys(bridge).toSorted(), ["ConfigurationError", "connect"]);
});
