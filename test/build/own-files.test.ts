import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { ownFiles } from "../../lib/build/own-files.ts";
import { temporaryFolder } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";
import { build } from "./project.ts";

const MCP_SERVERS = {
  one: { command: "node", args: ["server.mjs", "--data", "data"] },
  two: { command: "./run.sh", args: ["server.mjs"] },
  three: { command: "npx", args: ["-y", "some-package", process.execPath, "none.json", "x".repeat(5000)] },
  four: { command: "node", args: ["inner.mjs"], cwd: "data" },
};

async function folderOf(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "data"));
  for (const file of ["server.mjs", "run.sh", "data/inner.mjs"]) await writeFile(join(folder, file), "");
  return folder;
}

describe("files of one's own", () => {
  test("are those that a command line names, and no folders and no programs of the system", async (t) => {
    const baseDirectory = await folderOf(t);
    assert.deepEqual(ownFiles({ mcpServers: MCP_SERVERS, baseDirectory }), [
      "server.mjs",
      "./run.sh",
      "inner.mjs",
    ]);
  });

  for (const target of ["lambda", "docker"]) {
    test(`are named where ${target} does not hold them`, async (t) => {
      const folder = await folderOf(t);
      const token = testToken();
      const mcpServers = { one: { command: "node", args: ["server.mjs", token] } };
      await writeFile(join(folder, "mcp.json"), JSON.stringify({ mcpServers }));
      const { code, stderr } = await build(folder, ["--target", target, "--no-snapshot"]);
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        new RegExp(`^mayfly: ${target} does not hold files of yours: .*: server\\.mjs$`, "m"),
      );
      await waitUntilGone(token);
    });
  }
});
