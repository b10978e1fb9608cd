import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import { createRemoteHttp } from "../../lib/connect/wire/http.ts";
import type { RemoteHttpOptions } from "../../lib/connect/wire/http.ts";
import type { RemoteTarget } from "../../lib/connect/remote.ts";
import type { Logger } from "../../lib/logger.ts";

/** An HTTP server of the test, whatever it answers. */
export interface WireServer {
  readonly url: URL;
  readonly server: Server;
  /** What has been asked so far: method and path, and the headers. */
  readonly asked: readonly { readonly line: string; readonly headers: IncomingMessage["headers"] }[];
}

/** A server on a free port of 127.0.0.1; after the test it is gone. */
export async function serveWire(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
  tls?: ServerOptions,
): Promise<WireServer> {
  const asked: { line: string; headers: IncomingMessage["headers"] }[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    answer(request, response);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`${tls ? "https" : "http"}://127.0.0.1:${port}/mcp`), server, asked };
}

/** The text of a request's body. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export function answerJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}

/** Starts an event stream, with these messages as its first events. */
export function answerEvents(response: ServerResponse, ...messages: readonly unknown[]): void {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  for (const message of messages) response.write(`data: ${JSON.stringify(message)}\n\n`);
}

/** Lines of a log, each as level, message and fields. */
export interface WireLog {
  readonly logger: Logger;
  readonly lines: string[];
}

export function wireLog(): WireLog {
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const logger = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  return { logger, lines };
}

/** A remote as the transports take it; after the test its connections are gone. */
export async function wireTarget(
  t: TestContext,
  url: URL,
  options: Partial<RemoteHttpOptions> & { readonly maxMessageBytes?: number } = {},
): Promise<RemoteTarget & WireLog> {
  const log = wireLog();
  const { maxMessageBytes = 1024 * 1024, ...rest } = options;
  const http = await createRemoteHttp({ headers: {}, variables: {}, logger: log.logger, ...rest });
  t.after(() => http.close());
  return { url, http, maxMessageBytes, ...log };
}
