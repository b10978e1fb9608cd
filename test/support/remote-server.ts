import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";

import { createRemoteHttp } from "../../lib/connect/wire/http.ts";
import { messageOf } from "../../lib/jsonrpc.ts";
import type { RemoteTarget } from "../../lib/connect/remote.ts";
import type { Message, RequestValue } from "../../lib/jsonrpc.ts";
import type { Logger } from "../../lib/logger.ts";
import { until } from "./deadline.ts";

/** A request as a tiny MCP server over HTTP sees it. */
export interface Seen {
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly path: string;
  /** The JSON-RPC message of a POST. */
  readonly body: { id?: string | number; method?: string; params?: any; result?: any; error?: any };
  readonly response: ServerResponse;
  /** `performance.now()` */
  readonly at: number;
}

/** A tiny HTTP server with one behaviour, which can be killed and come back on its port. */
export interface RemoteServer {
  readonly url: URL;
  readonly seen: readonly Seen[];
  /** The bodies of those with that JSON-RPC method, or HTTP method. */
  readonly of: (method: string) => Seen[];
  /** The first of them, once it is there. */
  readonly take: (method: string, count?: number) => Promise<Seen>;
  /** Requests whose answers are under way. */
  readonly open: () => number;
  /** Breaks all connections, and takes no more. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const WAIT_MS = 10_000;

export async function remoteServer(
  t: TestContext,
  behave: (seen: Seen, server: RemoteServer) => unknown,
): Promise<RemoteServer> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let port = 0;
  let server: Server | undefined;
  const remote: RemoteServer = {
    get url() {
      return new URL(`http://127.0.0.1:${port}/mcp`);
    },
    seen,
    of: (method) => seen.filter(({ body, method: verb }) => body.method === method || verb === method),
    take: (method, count = 1) =>
      until(() => remote.of(method)[count - 1], {
        withinMs: WAIT_MS,
        label: () => `${count} ${method} in ${seen.map(({ body, method }) => body.method ?? method).join()}`,
      }),
    open: () => seen.filter(({ response }) => !response.closed && !response.writableFinished).length,
    async stop() {
      const closed = new Promise((resolve) => server?.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async start() {
      server = createServer((request, response) => void answer(request, response));
      server.on("connection", (socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
      });
      await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
      ({ port } = server.address() as AddressInfo);
    },
  };
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now();
    let text = "";
    for await (const piece of request) text += String(piece);
    const { method = "", headers, url: path = "" } = request;
    const one = { method, headers, path, body: text === "" ? {} : JSON.parse(text), response, at };
    seen.push(one);
    await behave(one, remote);
  }
  await remote.start();
  t.after(() => remote.stop());
  return remote;
}

/** What the log got, one line for each. */
export interface Noted {
  readonly logger: Logger;
  readonly lines: string[];
}

export function notes(): Noted {
  const lines: string[] = [];
  const note = (level: string) => (_fields: object, message: string) =>
    void lines.push(`${level}: ${message}`);
  return {
    logger: { debug: () => undefined, info: note("info"), warn: note("warn"), error: note("error") },
    lines,
  };
}

export async function targetOf(
  t: TestContext,
  url: URL,
  headers: Record<string, string> = {},
  logger: Logger = notes().logger,
): Promise<RemoteTarget> {
  const http = await createRemoteHttp({ headers, variables: {} });
  t.after(() => http.close());
  return { url, http, maxMessageBytes: 1024 * 1024, logger };
}

export function json(
  { response }: Seen,
  body: object,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export function accept({ response }: Seen): void {
  response.writeHead(202);
  response.end();
}

/** Begins an event stream; more is written to the response. */
export function stream({ response }: Seen, headers: Record<string, string> = {}): void {
  response.writeHead(200, { "content-type": "text/event-stream", ...headers });
  response.flushHeaders();
}

/** Writes an event. */
export function event(
  { response }: Pick<Seen, "response">,
  data: object | string | undefined,
  { id, type, retry }: { id?: string; type?: string; retry?: number } = {},
): void {
  const text = typeof data === "object" ? JSON.stringify(data) : (data ?? "");
  const lines = [
    ...(type === undefined ? [] : [`event: ${type}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(retry === undefined ? [] : [`retry: ${retry}`]),
    `data: ${text}`,
  ];
  response.write(`${lines.join("\n")}\n\n`);
}

export function result(id: string | number | undefined, value: object = {}): object {
  return { jsonrpc: "2.0", id, result: value };
}

export function initializeResult(id: string | number | undefined, capabilities: object = {}): object {
  const serverInfo = { name: "tiny", version: "1" };
  return result(id, { protocolVersion: "2025-11-25", capabilities, serverInfo });
}

/** Answers the handshake of streamable HTTP with a session. @returns whether it was that */
export function greets(seen: Seen, session = "one", capabilities: object = {}): boolean {
  const { body } = seen;
  if (body.method === "initialize") {
    json(seen, initializeResult(body.id, capabilities), 200, { "mcp-session-id": session });
  } else if (body.method === "notifications/initialized") accept(seen);
  else return false;
  return true;
}

export function message<Value extends Message["value"] = RequestValue>(value: object): Message<Value> {
  return messageOf<Value>(JSON.stringify(value));
}
