import type { Readable, Writable } from "node:stream";

import type { Logger } from "../logger.ts";

/** How the remote server is spoken to: `auto` tries streamable HTTP, then HTTP+SSE. */
export type RemoteTransport = "auto" | "http" | "sse";

/** A remote MCP server, and how it becomes a stdio server. */
export interface ConnectOptions {
  /** The endpoint of streamable HTTP, or the event stream of HTTP+SSE. */
  readonly url: string | URL;
  /** @default "auto" */
  readonly transport?: RemoteTransport | undefined;
  /** Sent with every HTTP request. Values never reach a log or an error. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds between pings of a session that is idle; 0 sends none. @default 10000 */
  readonly pingIntervalMs?: number | undefined;
  /** Milliseconds that a client's first request waits for a remote that cannot be reached. @default 30000 */
  readonly startTimeoutMs?: number | undefined;
  /** Bytes of one message from the remote. @default 64 MiB */
  readonly maxMessageBytes?: number | undefined;
  /** Certificate authorities in PEM, beside those of Node. @default none */
  readonly ca?: string | Buffer | undefined;
  /** Where HTTPS_PROXY, HTTP_PROXY and NO_PROXY are looked up. @default `process.env` */
  readonly variables?: Readonly<Record<string, string | undefined>> | undefined;
  /** Messages of the client, one a line. @default `process.stdin` */
  readonly input?: Readable | undefined;
  /** Messages for the client, and nothing else. @default `process.stdout` */
  readonly output?: Writable | undefined;
  /** @default none */
  readonly logger?: Logger | undefined;
  /** Called with every message, as seen from the remote: `in` goes to it, `out` comes from it. Must not throw. */
  readonly onMessage?: ((direction: "in" | "out", text: string) => void) | undefined;
}

/** A stdio server in front of a remote one. */
export interface Connection {
  /** Resolves when the input has ended, or `close` was called, and nothing of it is left. Never rejects. */
  readonly closed: Promise<void>;
  /** Ends it at once: sessions are given back, what waits for an answer gets none. Repeated calls share one ending. */
  close(): Promise<void>;
}
