import { createServer } from "node:http";
import type { Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";

import { getRequestListener } from "@hono/node-server";

import { ConfigurationError } from "../configuration/error.ts";
import { TRANSPORTS } from "../configuration/options.ts";
import type { HandlerOptions } from "../configuration/options.ts";
import { MayflyError } from "../errors.ts";
import { createHandler } from "../handler.ts";
import type { Handler } from "../handler.ts";
import { settlesWithin } from "../promises.ts";
import { errorResponse } from "../response.ts";
import { closeWhenIdle } from "./connections.ts";

/** What {@link serve} takes. */
export interface ServeOptions extends HandlerOptions {
  /** 0 picks a free port. @default 8000 */
  readonly port?: number;
  /** @default "serve" */
  readonly listen?: "acknowledge" | "serve";
  /** On a loopback address no key is needed, and only local Host headers are let in. @default "127.0.0.1" */
  readonly host?: string;
}

/** A server that listens. */
export interface RunningServer {
  /** Where it listens, with the port that was picked. */
  readonly url: string;
  readonly handler: Handler;
  /**
   * Lets the running requests finish for up to `graceMs`, refuses new ones, and resolves when nothing is left:
   * no connection, no process.
   * @param graceMs milliseconds, @default 10000
   */
  close(graceMs?: number): Promise<void>;
  /** Kills every process at once. */
  kill(): void;
}

const DEFAULT_PORT = 8000;
const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_GRACE_MS = 10_000;
const LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Serves stdio MCP servers over HTTP until it is closed.
 * @throws ConfigurationError, also for an address that everybody can reach without a key; and what `listen` throws
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT } = options;
  const handler = createHandler({
    listen: "serve",
    transports: TRANSPORTS,
    ...options,
    ...accessOf(options, host),
  });
  const state = { draining: false };
  const listener = createListener(handler, host, state);
  // Settles when the answer is out, and never rejects: it writes its own answer to what goes wrong.
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  closeWhenIdle(server);
  await listen(server, port, host);
  return {
    url: urlOf(server.address() as AddressInfo),
    handler,
    close: (graceMs = DEFAULT_GRACE_MS) => {
      state.draining = true;
      return drain(server, handler, graceMs);
    },
    kill: () => handler.kill(),
  };
}

function accessOf(options: ServeOptions, host: string): Partial<HandlerOptions> {
  const { authKeys = [], allowAnonymous = false, authenticate, allowedHosts } = options;
  if (isLoopback(host)) return { allowAnonymous: true, allowedHosts: allowedHosts ?? [...LOCAL_NAMES, host] };
  if (authKeys.length > 0 || authenticate || allowAnonymous) return {};
  throw new ConfigurationError(
    `${host} can be reached from outside: set AUTH_KEY, or ALLOW_ANONYMOUS=true to let everybody in`,
  );
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function createListener(handler: Handler, host: string, state: { readonly draining: boolean }) {
  const fetch = async (request: Request): Promise<Response> => {
    const response = await handler.fetch(request);
    // A client would else keep the connection for its next request.
    if (state.draining) response.headers.set("Connection", "close");
    return response;
  };
  return getRequestListener(fetch, {
    hostname: host,
    overrideGlobalObjects: false,
    errorHandler: () => errorResponse(new MayflyError("MALFORMED_REQUEST")),
  });
}

function listen(server: HttpServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(explained(error, `${host}:${port}`));
    server.once("error", fail).listen(port, host, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function explained(cause: NodeJS.ErrnoException, address: string): Error {
  if (cause.code !== "EADDRINUSE") return cause;
  return new Error(`${address} is in use by another program: choose another port`, { cause });
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

async function drain(server: HttpServer, handler: Handler, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  handler.drain();
  await settlesWithin(closed, graceMs);
  await handler.close();
  // What has just been answered is still on its way out.
  if (!(await settlesWithin(closed, FLUSH_MS))) server.closeAllConnections();
}

/** Milliseconds for the last answers to reach their clients. */
const FLUSH_MS = 500;
