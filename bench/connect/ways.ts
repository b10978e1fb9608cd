import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { connectProgram, mcpRemoteProgram } from "../../test/connect/rig/programs.ts";
import type { Program } from "../../test/connect/rig/programs.ts";
import { startStdio } from "../../test/connect/rig/stdio-client.ts";
import type { Scope } from "../../test/support/files.ts";
import { call, initialize, notification, post } from "../../test/support/rpc.ts";
import type { BenchRemote } from "./remotes.ts";

/** A client, and how it reaches the remote. */
export interface Way {
  readonly client: "raw" | "SDK v1";
  readonly name: string;
  /** One call, up to its parsed result. @throws Error if there is none */
  run(): Promise<void>;
}

/** All ways to the remote, connected; they are closed with the scope. @param home a folder for mcp-remote */
export async function openWays(scope: Scope, remote: BenchRemote, home: string): Promise<readonly Way[]> {
  const programs: readonly (readonly [name: string, program: Program])[] = [
    ["mayfly connect", connectProgram(remote.url)],
    ["mcp-remote", mcpRemoteProgram(remote.url, "http", home)],
  ];
  const ways = [await rawHttp(remote), await sdk(scope, remote, "direct", new HttpTransport(remote.url))];
  for (const [name, program] of programs) {
    ways.push(await rawStdio(scope, remote, name, program));
    ways.push(await sdk(scope, remote, name, stdioTransport(program)));
  }
  return ways;
}

// Its optional sessionId is one that may also be undefined, which this compiler tells apart.
const HttpTransport = StreamableHTTPClientTransport;

/** The least that a client does: fetch, with the session, one answer to a POST. */
async function rawHttp({ url, tool, arguments: args }: BenchRemote): Promise<Way> {
  const opened = await fetch(url, post(initialize()));
  const headers = {
    "mcp-session-id": opened.headers.get("mcp-session-id") ?? "",
    "mcp-protocol-version": "2025-11-25",
  };
  await opened.text();
  await (await fetch(url, post(notification("notifications/initialized"), headers))).text();
  let id = 0;
  return {
    client: "raw",
    name: "direct",
    async run() {
      const response = await fetch(url, post(call(tool, args, { id: (id += 1) }), headers));
      const text = await response.text();
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
      checkResult(JSON.parse(isStream ? (/^data: ?(\{.*)$/m.exec(text)?.[1] ?? "") : text));
    },
  };
}

async function rawStdio(
  scope: Scope,
  { tool, arguments: args }: BenchRemote,
  name: string,
  program: Program,
): Promise<Way> {
  const client = startStdio(scope, program);
  await client.handshake();
  let id = 0;
  return {
    client: "raw",
    name,
    run: async () => checkResult((await client.ask(call(tool, args, { id: (id += 1) }))).message),
  };
}

async function sdk(
  scope: Scope,
  { tool, arguments: args }: BenchRemote,
  name: string,
  transport: StreamableHTTPClientTransport | StdioClientTransport,
): Promise<Way> {
  const client = new Client({ name: "bench", version: "1.0.0" });
  await client.connect(transport);
  scope.after(() => client.close());
  return {
    client: "SDK v1",
    name,
    run: async () => checkResult({ result: await client.callTool({ name: tool, arguments: args }) }),
  };
}

function stdioTransport({ command, args, env }: Program): StdioClientTransport {
  return new StdioClientTransport({
    command,
    args: [...args],
    stderr: "ignore",
    ...(env && { env: { ...env } }),
  });
}

function checkResult(message: unknown): void {
  const { result } = message as { readonly result?: { readonly content?: unknown } };
  if (!Array.isArray(result?.content)) throw new Error(`no result: ${JSON.stringify(message)}`);
}
