import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { TestContext } from "node:test";

import { ConfigurationError } from "../../lib/configuration/error.ts";
import { findConfig } from "../../lib/configuration/find.ts";
import type { FoundConfig } from "../../lib/configuration/find.ts";
import { temporaryFolder } from "../support/files.ts";

const HERE = process.cwd();

/** A folder with `mcp.json` and `other/named.json`, as the working directory. */
async function setUp(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "other"));
  await writeFile(join(folder, "mcp.json"), '{"mcpServers":{"usual":{"command":"a"}}}');
  await writeFile(join(folder, "other", "named.json"), '{"mcpServers":{"named":{"command":"${CMD}"}}}');
  process.chdir(folder);
  return folder;
}

function found(config: FoundConfig | undefined): unknown {
  return config && [Object.keys(config.mcpServers), config.baseDirectory];
}

describe("the configuration", () => {
  beforeEach(() => process.chdir(HERE));
  afterEach(() => process.chdir(HERE));

  test("is mcp.json of the working directory", async (t) => {
    const folder = await setUp(t);
    assert.deepEqual(found(findConfig({})), [["usual"], folder]);
  });

  test("is the file that MCP_CONFIG names, and paths start from its folder", async (t) => {
    const folder = await setUp(t);
    const config = findConfig({ MCP_CONFIG: "other/named.json", CMD: "b" });
    assert.deepEqual(found(config), [["named"], join(folder, "other")]);
    assert.equal(config?.mcpServers["named"]?.command, "b");
  });

  test("is MCP_SERVER_CONFIG rather than a file", async (t) => {
    const folder = await setUp(t);
    const variables = { MCP_SERVER_CONFIG: "node 'a b.mjs'", MCP_CONFIG: "other/named.json" };
    assert.deepEqual(findConfig(variables), {
      mcpServers: { default: { command: "node", args: ["a b.mjs"] } },
      baseDirectory: folder,
    });
  });

  test("is the file that was asked for rather than anything else", async (t) => {
    const folder = await setUp(t);
    const variables = { MCP_SERVER_CONFIG: "node a.mjs", MCP_CONFIG: "mcp.json", CMD: "b" };
    assert.deepEqual(found(findConfig(variables, "other/named.json")), [["named"], join(folder, "other")]);
  });

  test("is not looked for in empty variables", async (t) => {
    const folder = await setUp(t);
    assert.deepEqual(found(findConfig({ MCP_SERVER_CONFIG: " \n", MCP_CONFIG: "" })), [["usual"], folder]);
  });

  test("is undefined where there is none", async (t) => {
    const folder = await temporaryFolder(t);
    process.chdir(folder);
    assert.equal(findConfig({}), undefined);
  });

  test("that was named and is not there is an error", async (t) => {
    await setUp(t);
    const missing = new ConfigurationError("other/no.json: cannot be read (ENOENT)");
    assert.throws(() => findConfig({}, "other/no.json"), { name: missing.name, message: missing.message });
    assert.throws(
      () => findConfig({ MCP_CONFIG: "other" }),
      /^ConfigurationError: other: cannot be read \(EISDIR\)$/,
    );
  });

  test("with an error names the file as it was asked for", async (t) => {
    await setUp(t);
    const message = "other/named.json: mcpServers.named.command: the environment variable CMD is not set";
    assert.throws(() => findConfig({ MCP_CONFIG: "other/named.json" }), new ConfigurationError(message));
    assert.throws(() => findConfig({ MCP_SERVER_CONFIG: "{" }), /^ConfigurationError: MCP_SERVER_CONFIG/);
  });
});
