import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { temporaryFolder } from "../support/files.ts";
import { build, filesBelow } from "./project.ts";

const MESSAGE = /^mayfly: no configuration found: set MCP_SERVER_CONFIG or add mcp\.json$/m;

describe("a build without a configuration", () => {
  for (const target of ["lambda", "docker"]) {
    test(`fails, as there would be nothing in ${target}`, async (t) => {
      const folder = await temporaryFolder(t);
      const { code, stderr } = await build(folder, ["--target", target]);
      assert.equal(code, 2);
      assert.match(stderr, MESSAGE);
      assert.deepEqual(await filesBelow(folder), []);
    });
  }

  test("passes for Vercel, whose function tells what is missing, as it may be set there later", async (t) => {
    const folder = await temporaryFolder(t);
    const { code, stderr } = await build(folder);
    assert.equal(code, 0, stderr);
    assert.match(stderr, MESSAGE);
    assert.deepEqual(await filesBelow(folder), ["public/index.html"]);
  });
});
