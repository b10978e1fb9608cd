import {
  Client as SecondClient,
  StreamableHTTPClientTransport as SecondTransport,
} from "@modelcontextprotocol/client";
import type { VersionNegotiationOptions } from "@modelcontextprotocol/client";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import type { Params } from "../support/rpc.ts";

/** Gives the content of the accepted form. */
export type User = (message: string) => Promise<Record<string, string | number>>;

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { readonly progress: number }) => void;
}

export interface Tool {
  readonly name: string;
  readonly outputSchema?: Params | undefined;
}

export interface ToolResult {
  readonly content: readonly { readonly text?: string }[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

/** What the clients of both SDKs do alike. */
export interface Connected {
  readonly protocolVersion: string | undefined;
  readonly serverName: string | undefined;
  listTools(): Promise<readonly Tool[]>;
  call(name: string, args?: Params, options?: CallOptions): Promise<ToolResult>;
  close(): Promise<void>;
}

export interface ClientKind {
  readonly title: string;
  readonly protocolVersion: string;
  connect(url: URL, user: User): Promise<Connected>;
}

const IDENTITY = { name: "matrix-client", version: "1.0.0" };
const CAPABILITIES = { elicitation: {} };

export const CLIENTS: readonly ClientKind[] = [
  { title: "the v1 client", protocolVersion: "2025-11-25", connect: connectFirst },
  {
    title: "the v2 client pinned to 2026-07-28",
    protocolVersion: "2026-07-28",
    connect: (url, user) => connectSecond(url, user, { mode: { pin: "2026-07-28" } }),
  },
  {
    title: "the v2 client that finds out the revision",
    protocolVersion: "2026-07-28",
    connect: (url, user) => connectSecond(url, user, { mode: "auto" }),
  },
];

/** One that does not look for 2026-07-28. */
export const LEGACY_SECOND: ClientKind = {
  title: "the v2 client in its legacy mode",
  protocolVersion: "2025-11-25",
  connect: (url, user) => connectSecond(url, user, { mode: "legacy" }),
};

async function connectFirst(url: URL, user: User): Promise<Connected> {
  const client = new FirstClient(IDENTITY, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => accepted(await user(params.message)));
  const transport = new FirstTransport(url);
  await client.connect(transport);
  return {
    protocolVersion: transport.protocolVersion,
    serverName: client.getServerVersion()?.name,
    listTools: async () => (await client.listTools()).tools,
    call: async (name, args = {}, options = {}) =>
      (await client.callTool({ name, arguments: args }, undefined, options)) as ToolResult,
    close: () => client.close(),
  };
}

async function connectSecond(
  url: URL,
  user: User,
  versionNegotiation: VersionNegotiationOptions,
): Promise<Connected> {
  const client = new SecondClient(IDENTITY, { capabilities: CAPABILITIES, versionNegotiation });
  client.setRequestHandler("elicitation/create", async ({ params }) => accepted(await user(params.message)));
  await client.connect(new SecondTransport(url));
  return {
    protocolVersion: client.getNegotiatedProtocolVersion(),
    serverName: client.getServerVersion()?.name,
    listTools: async () => (await client.listTools()).tools,
    call: async (name, args = {}, options = {}) =>
      (await client.callTool({ name, arguments: args }, options)) as ToolResult,
    close: () => client.close(),
  };
}

function accepted(content: Record<string, string | number>) {
  return { action: "accept" as const, content };
}
