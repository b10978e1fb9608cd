import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

import { until, within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { isAlive, waitUntilGone } from "../support/processes.ts";
import { serveSessions } from "../support/sessions.ts";
import type { ServedOptions } from "../support/sessions.ts";

// Programs that people put in front of HTTP servers, as npm installs them.

const WAIT_MS = 30_000;
const run = promisify(execFile);

interface Mode {
  readonly title: string;
  readonly options: ServedOptions;
  readonly path: string;
  /** What mcp-remote calls it. */
  readonly transport: "http-only" | "sse-only";
}

const http = { path: "/mcp", transport: "http-only" } as const;
const sse = { path: "/sse", transport: "sse-only" } as const;

const MODES: readonly Mode[] = [
  { title: "HTTP+SSE, shared", options: { sharedSession: true }, ...sse },
  { title: "HTTP+SSE, independent", options: { sharedSession: false }, ...sse },
  { title: "streamable HTTP, shared", options: { sessions: "shared" }, ...http },
  { title: "streamable HTTP, independent", options: { sessions: "independent" }, ...http },
  { title: "streamable HTTP, no sessions", options: { sessions: "none" }, ...http },
];

/** The program that a package installs under the name. */
function programOf(
  packageName: string,
  file: (bin: Readonly<Record<string, string>>) => string | undefined,
): string {
  const folder = new URL(`../../node_modules/${packageName}/`, import.meta.url);
  const { bin } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  return fileURLToPath(new URL(file(bin) ?? "", folder));
}

const MCP_REMOTE = programOf("mcp-remote", (bin) => bin["mcp-remote"]);
// The program of the package says to upgrade to a version that needs a newer Node, and then starts this one, which
// looks for its package.json from the working directory.
const INSPECTOR = programOf("@modelcontextprotocol/inspector-cli", () => "build/index.js");

/** A HOME of its own, and no program on PATH that could open a browser. */
async function environmentFor(t: TestContext): Promise<Record<string, string>> {
  const folder = await temporaryFolder(t);
  return { HOME: folder, PATH: folder, MCP_REMOTE_CONFIG_DIR: folder };
}

for (const { title, options, path, transport } of MODES) {
  describe(`in front of ${title}`, () => {
    test("mcp-remote is a stdio server", async (t) => {
      const { url, token } = await serveSessions(t, "remembers", options);
      const client = new Client({ name: "test-client", version: "1.0.0" });
      const remote = new StdioClientTransport({
        command: process.execPath,
        args: [MCP_REMOTE, url + path, "--transport", transport],
        env: await environmentFor(t),
        stderr: "ignore",
      });
      t.after(() => client.close());
      await within(client.connect(remote), WAIT_MS, "mcp-remote connects");
      const { tools } = await within(client.listTools(), WAIT_MS, "tools/list");
      assert.ok(tools.some(({ name }) => name === "count"));
      const counts = ["1", options.sessions === "none" ? "1" : "2"];
      for (const count of counts) {
        const result = await within(client.callTool({ name: "count" }), WAIT_MS, "tools/call");
        assert.deepEqual(result.content, [{ type: "text", text: count }]);
      }
      const { pid } = remote;
      await within(client.close(), WAIT_MS, "mcp-remote ends");
      // The client waits for the end until it has sent SIGKILL, and not for what comes of that.
      await until(() => !isAlive(pid ?? 0), { withinMs: WAIT_MS, label: "mcp-remote has ended" });
      const isShared = options.sharedSession === true || options.sessions === "shared";
      // It ends by a signal, and with it its connections; it does not end its session.
      if (!isShared && transport === "sse-only") await waitUntilGone(token, { withinMs: 5000 });
    });

    test("the command line of the inspector lists and calls tools", async (t) => {
      const { url, token } = await serveSessions(t, "remembers", options);
      const env = await environmentFor(t);
      const inspect = async (...words: readonly string[]): Promise<unknown> => {
        const args = [INSPECTOR, url + path, "--transport", path === "/sse" ? "sse" : "http", ...words];
        const { stdout } = await run(process.execPath, args, {
          env,
          cwd: dirname(INSPECTOR),
          timeout: WAIT_MS,
        });
        return JSON.parse(stdout);
      };
      const { tools } = (await inspect("--method", "tools/list")) as { tools: readonly { name: string }[] };
      assert.ok(tools.some(({ name }) => name === "count"));
      const called = await inspect("--method", "tools/call", "--tool-name", "count");
      assert.deepEqual(called, { content: [{ type: "text", text: "1" }] });
      if (options.sharedSession === false) await waitUntilGone(token, { withinMs: 5000 });
    });
  });
}
