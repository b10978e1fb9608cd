// Builds five servers of npm, and compares what each answers to a call with and without its bundle: npm run test:build
import assert from "node:assert/strict";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import type { ServerReport } from "../../lib/build/report.ts";
import { buildTable } from "../../lib/cli/build-table.ts";
import { createHandler } from "../../lib/index.ts";
import { call, post } from "../support/rpc.ts";
import { build, project } from "./project.ts";

interface Real {
  readonly args: readonly string[];
  readonly tool: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** What becomes of it: undefined if it is bundled. */
  readonly note?: RegExp;
}

const THOUGHT = { thought: "one", nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 };

const SERVERS: Readonly<Record<string, Real>> = {
  everything: {
    args: ["@modelcontextprotocol/server-everything"],
    tool: "echo",
    arguments: { message: "hello" },
  },
  files: { args: ["@modelcontextprotocol/server-filesystem", "."], tool: "list_allowed_directories" },
  memory: { args: ["@modelcontextprotocol/server-memory"], tool: "read_graph" },
  thinking: {
    args: ["@modelcontextprotocol/server-sequential-thinking"],
    tool: "sequentialthinking",
    arguments: THOUGHT,
    note: /not bundled: .* uses createRequire/,
  },
  notion: { args: ["@notionhq/notion-mcp-server"], tool: "not-a-tool" },
  context7: {
    args: ["@upstash/context7-mcp"],
    tool: "not-a-tool",
    note: /not bundled: require-in-the-middle uses require\.cache/,
  },
};

describe("real servers", { concurrency: false }, () => {
  let folder: string;
  let reports: readonly ServerReport[];
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "mayfly-servers-")));
    await project(folder, configured());
    const { code, stdout, stderr } = await build(folder, ["--json"]);
    assert.equal(code, 0, stderr);
    reports = (JSON.parse(stdout) as { servers: ServerReport[] }).servers;
    console.log(buildTable(reports));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function configured(): Record<string, { command: string; args: string[] }> {
    const entries = Object.entries(SERVERS).map(([name, { args }]) => [
      name,
      { command: "npx", args: ["-y", ...args] },
    ]);
    return Object.fromEntries(entries);
  }

  async function answered(name: string, { tool, arguments: given = {} }: Real): Promise<string> {
    const handler = createHandler({ mcpServers: configured(), baseDirectory: folder, allowAnonymous: true });
    try {
      const response = await handler.fetch(
        new Request(`http://localhost/mcp/${name}`, post(call(tool, given))),
      );
      return await response.text();
    } finally {
      await handler.close();
    }
  }

  for (const [index, [name, server]] of Object.entries(SERVERS).entries()) {
    test(`${name} has a snapshot, and a bundle where one is sure to do the same`, () => {
      const { snapshot, bundled, notes } = reports[index] ?? {};
      assert.deepEqual([snapshot, bundled], [true, server.note === undefined]);
      assert.match(notes?.join() ?? "", server.note ?? /^$/);
    });

    test(`${name} answers a call as its package does`, async () => {
      const built = await answered(name, server);
      await rm(join(folder, "servers", name, "bundle"), { recursive: true, force: true });
      assert.equal(await answered(name, server), built);
    });
  }
});
