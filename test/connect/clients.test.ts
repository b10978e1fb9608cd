import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { Client as SecondClient } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

import { connect } from "../../lib/connect/connect.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import { within } from "../support/deadline.ts";
import { serveSessions } from "../support/sessions.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WAIT_MS = 15_000;
const CLIENT = { name: "test-client", version: "1.0.0" };

const REMOTES: readonly (readonly [what: string, path: string, options: Partial<ServeOptions>])[] = [
  ["without sessions", "/mcp", {}],
  ["with sessions", "/mcp", { sessions: "independent" }],
  ["by HTTP+SSE", "/sse", {}],
];

/** The transport of servers is one over two streams, and both ends of stdio are alike. */
async function firstClient(t: TestContext, url: string): Promise<FirstClient> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const connection = connect({ url, input, output, variables: {} });
  const client = new FirstClient(CLIENT);
  t.after(async () => {
    await client.close();
    await within(connection.close(), WAIT_MS, "the connection closes");
  });
  await within(client.connect(new StdioServerTransport(output, input)), WAIT_MS, "connect");
  return client;
}

describe("an SDK client over stdio", () => {
  for (const [what, path, options] of REMOTES) {
    test(`lists and calls the tools of a remote ${what}`, async (t) => {
      const { url } = await serveSessions(t, "echo", options);
      const client = await firstClient(t, url + path);
      const { tools } = await within(client.listTools(), WAIT_MS, "tools/list");
      assert.ok(tools.some(({ name }) => name === "echo"));
      const call = client.callTool({ name: "echo", arguments: { n: 1 } });
      assert.match(JSON.stringify(await within(call, WAIT_MS, "tools/call")), /arguments/);
    });
  }

  test("of the revision without a handshake does so by the command", async (t) => {
    const { url } = await serveSessions(t, "dual");
    const client = new SecondClient(CLIENT, { versionNegotiation: { mode: "auto" } });
    t.after(() => client.close());
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: ["--import", "tsx", "lib/cli/main.ts", "connect", `${url}/mcp`],
      cwd: ROOT,
      stderr: "ignore",
    });
    await within(client.connect(transport), WAIT_MS, "connect");
    const { tools } = await within(client.listTools(), WAIT_MS, "tools/list");
    assert.ok(tools.length > 0);
  });
});
