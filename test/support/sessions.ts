import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import type { RunningServer, ServeOptions } from "../../lib/adapters/node.ts";
import type { ServerConfig } from "../../lib/index.ts";
import { within } from "./deadline.ts";
import { fixture } from "./fixture.ts";
import type { Message } from "./live-stream.ts";
import { processesWith, waitUntilGone } from "./processes.ts";

/** The adapter over one fixture, and what its processes were told. */
export interface Served {
  readonly server: RunningServer;
  readonly url: string;
  readonly token: string;
  /** What the processes got, in the order of sending. */
  readonly received: readonly Message[];
  /** What they said. */
  readonly said: readonly Message[];
  /** The processes that are there. */
  readonly pids: () => number[];
  /** How many handshakes were begun. */
  readonly starts: () => number;
}

export interface ServedOptions extends Partial<ServeOptions> {
  /** More arguments of the server. */
  readonly args?: readonly string[];
  /** More of its configuration. */
  readonly config?: Partial<ServerConfig>;
}

const WAIT_MS = 15_000;

/** After the test the adapter is closed, and no process may be left. */
export async function serveSessions(
  t: TestContext,
  name: string,
  options: ServedOptions = {},
): Promise<Served> {
  const { args: more = [], config, ...rest } = options;
  const { command, args, token } = fixture(name, ...more);
  const [received, said]: [Message[], Message[]] = [[], []];
  const server = await serve({
    mcpServers: { only: { command, args, ...config } },
    port: 0,
    transports: ["mcp", "sse"],
    onMessage: (_server, direction, text) =>
      void (direction === "in" ? received : said).push(JSON.parse(text) as Message),
    ...rest,
  });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return {
    server,
    url: server.url,
    token,
    received,
    said,
    pids: () => processesWith(token).map(({ pid }) => pid),
    starts: () => received.filter(({ method }) => method === "initialize").length,
  };
}

/** The text of a tool's result. */
export function textOf({ result, error }: Message): string {
  if (error) throw new Error(`an error in place of a result: ${JSON.stringify(error)}`);
  const content = (result?.["content"] ?? []) as readonly { readonly text: string }[];
  return content[0]?.text ?? "";
}

/** What the fixtures for sessions tell by their tool `memory`. */
export interface Memory {
  readonly pid: number;
  readonly handshakes: readonly {
    readonly protocolVersion: string;
    readonly capabilities: Readonly<Record<string, unknown>>;
    readonly clientInfo: { readonly name: string };
  }[];
  readonly initialized: number;
  readonly calls: readonly { readonly id: string | number; readonly name: string }[];
  readonly cancelled: readonly (string | number)[];
  readonly subscribed: readonly string[];
  readonly unsubscribed: readonly string[];
  readonly levels: readonly string[];
}

/** Anything that calls tools. */
export interface Caller {
  call(name: string, args?: Readonly<Record<string, unknown>>): Promise<Message>;
}

export async function memoryOf(client: Caller): Promise<Memory> {
  return JSON.parse(textOf(await client.call("memory"))) as Memory;
}

export async function pidOf(client: Caller): Promise<number> {
  return (await memoryOf(client)).pid;
}
