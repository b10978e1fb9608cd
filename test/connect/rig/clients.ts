import {
  Client as SecondClient,
  SSEClientTransport as SecondSseClient,
  StreamableHTTPClientTransport as SecondHttp,
} from "@modelcontextprotocol/client";
import type { VersionNegotiationOptions } from "@modelcontextprotocol/client";
import { StdioClientTransport as SecondStdio } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as FirstSseClient } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport as FirstStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as FirstHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import * as z from "zod";

import type { Params } from "../../support/rpc.ts";
import type { Program, Transport } from "./programs.ts";

// oxlint-disable-next-line typescript/no-deprecated -- as long as servers have it, it must work
const FirstSse = FirstSseClient;
// oxlint-disable-next-line typescript/no-deprecated -- the same
const SecondSse = SecondSseClient;

/** How a client reaches a remote: by HTTP, or over the stdio of a program. */
export type Way = { readonly url: URL; readonly transport: Transport } | { readonly program: Program };

export interface Said {
  readonly method: string;
  readonly params?: unknown;
}

export interface Options {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { readonly progress: number }) => void;
}

/** What the clients of both SDKs do alike. */
export interface Connected {
  /** Whether it speaks 2026-07-28. */
  readonly isModern: boolean;
  readonly capabilities: Params;
  readonly instructions: string | undefined;
  /** The notifications that came. */
  readonly heard: readonly Said[];
  request(method: string, params?: Params): Promise<Params>;
  call(name: string, args?: Params, options?: Options): Promise<Params>;
  /** Asks for changes of the tools and of the resource. */
  watch(uri: string): Promise<void>;
  close(): Promise<void>;
}

export interface ClientKind {
  readonly title: string;
  connect(way: Way): Promise<Connected>;
}

export const CLIENTS: readonly ClientKind[] = [
  { title: "v1", connect: connectFirst },
  { title: "v2 legacy", connect: (way) => connectSecond(way, { mode: "legacy" }) },
  { title: "v2 auto", connect: (way) => connectSecond(way, { mode: "auto" }) },
  { title: "v2 pinned", connect: (way) => connectSecond(way, { mode: { pin: "2026-07-28" } }) },
];

const IDENTITY = { name: "rig-client", version: "1.0.0" };
const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {} };
const LOG_LEVEL = { "io.modelcontextprotocol/logLevel": "debug" };
const FORM = { action: "accept" as const, content: { name: "Ephemera" } };
const SAMPLE = {
  model: "none",
  role: "assistant" as const,
  content: { type: "text" as const, text: "six" },
};
const ROOTS = { roots: [{ uri: "file:///a/root", name: "root" }] };

async function connectFirst(way: Way): Promise<Connected> {
  const client = new FirstClient(IDENTITY, { capabilities: CAPABILITIES });
  const heard: Said[] = [];
  client.fallbackNotificationHandler = async (notification) => void heard.push(notification);
  client.setRequestHandler(ElicitRequestSchema, () => FORM);
  client.setRequestHandler(CreateMessageRequestSchema, () => SAMPLE);
  client.setRequestHandler(ListRootsRequestSchema, () => ROOTS);
  const transport = firstTransport(way);
  await opened(transport, client.connect(transport));
  return {
    isModern: false,
    capabilities: client.getServerCapabilities() ?? {},
    instructions: client.getInstructions(),
    heard,
    request: (method, params) => client.request({ method, params }, ResultSchema),
    call: (name, args = {}, options = {}) =>
      client.request({ method: "tools/call", params: { name, arguments: args } }, ResultSchema, options),
    watch: async (uri) => void (await client.subscribeResource({ uri })),
    close: () => client.close(),
  };
}

/** A client that is refused may leave its stream or its program open. */
async function opened(transport: { close(): Promise<void> }, connecting: Promise<void>): Promise<void> {
  try {
    await connecting;
  } catch (error) {
    await transport.close();
    throw error;
  }
}

function firstTransport(way: Way) {
  if ("program" in way) return new FirstStdio(parametersOf(way.program));
  return way.transport === "sse" ? new FirstSse(way.url) : new FirstHttp(way.url);
}

async function connectSecond(way: Way, versionNegotiation: VersionNegotiationOptions): Promise<Connected> {
  const client = new SecondClient(IDENTITY, { capabilities: CAPABILITIES, versionNegotiation });
  const heard: Said[] = [];
  client.fallbackNotificationHandler = async (notification) => void heard.push(notification);
  client.setRequestHandler("elicitation/create", () => FORM);
  client.setRequestHandler("sampling/createMessage", () => SAMPLE);
  client.setRequestHandler("roots/list", () => ROOTS);
  const transport = secondTransport(way);
  await opened(transport, client.connect(transport));
  const isModern = client.getNegotiatedProtocolVersion() === "2026-07-28";
  return {
    isModern,
    capabilities: client.getServerCapabilities() ?? {},
    instructions: client.getInstructions(),
    heard,
    request: (method, params) => client.request({ method, params }, z.looseObject({})),
    call: (name, args = {}, options = {}) =>
      client.callTool({ name, arguments: args, ...(isModern && { _meta: LOG_LEVEL }) }, options),
    async watch(uri) {
      if (isModern) await client.listen({ toolsListChanged: true, resourceSubscriptions: [uri] });
      else await client.subscribeResource({ uri });
    },
    close: () => client.close(),
  };
}

function secondTransport(way: Way) {
  if ("program" in way) return new SecondStdio(parametersOf(way.program));
  return way.transport === "sse" ? new SecondSse(way.url) : new SecondHttp(way.url);
}

function parametersOf({ command, args, env }: Program) {
  return { command, args: [...args], stderr: "ignore" as const, ...(env && { env: { ...env } }) };
}
