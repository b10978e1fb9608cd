import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

import { commanderOption } from "../lib/cli/command-option.ts";
import { SERVE_OPTIONS } from "../lib/cli/serve-options.ts";
import { parseMcpJson } from "../lib/index.ts";
import { MAIN } from "./support/command.ts";
import { within } from "./support/deadline.ts";
import { temporaryFolder } from "./support/files.ts";
import { startRemote } from "./support/remote.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const readme = await readFile(join(ROOT, "README.md"), "utf8");

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"))].map(
    ([, code = ""]) => code,
  );
}

test("the configuration in the README is valid", () => {
  const [example = ""] = blocks("json");
  const { mcpServers, default: chosen } = parseMcpJson(example, "README.md", {});
  assert.deepEqual(Object.keys(mcpServers), ["files", "memory"]);
  assert.deepEqual([chosen, mcpServers["memory"]?.env], ["files", { MEMORY_FILE_PATH: "/tmp/memory.jsonl" }]);
});

test("the library example in the README runs as it stands and calls a tool", async () => {
  const [example = ""] = blocks("ts");
  // Inside the package, so that its name resolves to what was built.
  const file = join(ROOT, ".cache", "readme", "example.mjs");
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, example);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: ROOT, timeout: 20_000 });
    assert.match(stdout, /"text":"Echo: hello"/);
  } finally {
    await rm(file);
  }
});

test("the README lists every option of the command with its variable and its default", () => {
  for (const option of SERVE_OPTIONS.filter(({ hidden }) => !hidden)) {
    const { long } = commanderOption(option);
    const row = readme.split("\n").find((line) => line.startsWith("|") && line.includes(`${long}`));
    assert.ok(row, `${long} is missing`);
    const { variable, otherwise = "" } = option;
    const [, , , shown = ""] = row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("`", ""));
    assert.equal(shown, otherwise, `the default of ${long}`);
    if (variable !== undefined) assert.ok(row.includes(`\`${variable}\``), `${variable} is missing`);
  }
});

/** A server as clients have it in their files. */
interface Block {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Each client's own file in the section about remote servers, in order. */
const [, REMOTE = ""] = readme.split("\n## Use a remote server as a local one\n");
const [OF_CLIENTS = ""] = REMOTE.split("\n## ");
const BLOCKS = [...OF_CLIENTS.matchAll(/^```json\n([^]*?)^```$/gm)].map(([, code = ""]) => {
  const file = JSON.parse(code) as Readonly<Record<"mcpServers" | "servers", { readonly remote: Block }>>;
  return (file.mcpServers ?? file.servers).remote;
});

describe("the configuration of a client in the README starts a local server that is the remote one", () => {
  const rows = [
    ["Claude Desktop on macOS and Linux", "authorization: Bearer YOUR_TOKEN"],
    ["Claude Desktop on Windows", "authorization: Bearer YOUR_TOKEN"],
    ["Cursor", "x-team-key: YOUR_KEY"],
    ["VS Code", "x-api-key: YOUR_KEY"],
  ] as const;

  test("for these clients", () => assert.equal(BLOCKS.length, rows.length));

  for (const [index, [name, credential]] of rows.entries()) {
    test(name, { skip: process.platform === "win32" }, async (t) => {
      const block = BLOCKS[index];
      assert.ok(block);
      const remote = await startRemote(t);
      const client = await clientOf(t, block, remote.url);
      const { tools } = await within(client.listTools(), WAIT_MS, "the tools");
      assert.deepEqual(
        tools.map((tool) => tool.name),
        ["count"],
      );
      const { content } = await within(client.callTool({ name: "count" }), WAIT_MS, "a result");
      assert.deepEqual(content, [{ type: "text", text: "1" }]);
      assert.deepEqual(remote.credentials, new Set([credential]));
    });
  }
});

const WAIT_MS = 15_000;

/** Starts what the block says, with what was built as the package, and asks nobody for an input. */
async function clientOf(t: TestContext, { command, args, env }: Block, url: string): Promise<Client> {
  const transport = new StdioClientTransport({
    command,
    args: args.map((word) => word.replace("https://example.com/mcp", url)),
    env: { ...withInputs(env), PATH: `${await programs(t)}:${process.env["PATH"]}` },
    stderr: "inherit",
  });
  const client = new Client({ name: "a client", version: "1" });
  t.after(() => client.close());
  await within(client.connect(transport), WAIT_MS, "a connection");
  return client;
}

/** As VS Code puts in what its user has typed. */
function withInputs(env: Block["env"]): Record<string, string> {
  const entries = Object.entries(env).map(([name, value]) => [
    name,
    value.replace(/^\$\{input:.*\}$/, "YOUR_KEY"),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** `npx` that has downloaded the package, and `cmd` of Windows. */
async function programs(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const scripts = {
    npx: `[ "$1 $2" = "-y mcp-mayfly" ] && shift 2 && exec "${process.execPath}" "${MAIN}" "$@"`,
    cmd: '[ "$1" = "/c" ] && shift && exec "$@"',
  };
  for (const [name, line] of Object.entries(scripts)) {
    const file = join(folder, name);
    await writeFile(file, `#!/bin/sh\n${line}\n`);
    await chmod(file, 0o700);
  }
  return folder;
}
