import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { checkOptions } from "../configuration/check-options.ts";
import { ConfigurationError } from "../configuration/error.ts";
import { TRANSPORTS } from "../configuration/options.ts";
import type { HandlerOptions, Transport } from "../configuration/options.ts";
import { createHandler } from "../create-handler.ts";
import type { Handler } from "../handler.ts";
import { silentLogger } from "../logger.ts";
import { settlesWithin } from "../promises.ts";
import { isLoopback, listen, localNames, urlOf } from "./addresses.ts";
import { takeBacklog } from "./backlog.ts";
import { limitConnections } from "./connection-limit.ts";
import { REQUEST_EVENTS, trackConnections } from "./connections.ts";
import { completeLimits } from "./http-limits.ts";
import type { HttpLimits } from "./http-limits.ts";
import { createServer, logFailedHandshakes, setTls } from "./http-server.ts";
import { closeWhenIdle } from "./idle-connections.ts";
import { answerParseErrors } from "./parse-errors.ts";
import { answerOneByOne } from "./pipelining.ts";
import { createRequestListener } from "./request-listener.ts";
import type { Serving } from "./request-listener.ts";
import { OF_SERVE, SERVE } from "./serve-shape.ts";
import { cutSlowReaders } from "./slow-readers.ts";
import type { TlsOptions } from "./tls.ts";

export { toNodeHandler } from "./listener.ts";
export type { NodeHandler } from "./listener.ts";
export type { TlsOptions } from "./tls.ts";
export { findRungs } from "../sandbox/rungs.ts";
export type { FindRungsOptions, Rung } from "../sandbox/rungs.ts";

/** What {@link serve} takes. */
export interface ServeOptions extends HandlerOptions, HttpLimits {
  /** 0 picks a free port. @default 8000 */
  readonly port?: number;
  /** @default true */
  readonly guard?: boolean;
  /** @default "serve" */
  readonly listen?: "acknowledge" | "serve";
  /** @default ["mcp", "sse"] */
  readonly transports?: readonly Transport[];
  /** On a loopback address no key is needed, and only local Host headers are let in. @default "127.0.0.1" */
  readonly host?: string;
  /** Serves HTTPS in place of HTTP. @default none */
  readonly tls?: TlsOptions;
}

/** A server that listens. */
export interface RunningServer {
  /** Where it listens, with the port that was picked. */
  readonly url: string;
  readonly handler: Handler;
  /**
   * Shows other certificates to new connections; those that are there stay.
   * @throws ConfigurationError for some that cannot work, and changes nothing
   */
  setTls(tls: TlsOptions): void;
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
const DEFAULTS: Pick<HandlerOptions, "guard" | "listen" | "transports"> = {
  guard: process.platform !== "win32",
  listen: "serve",
  transports: TRANSPORTS,
};

/**
 * Serves stdio MCP servers over HTTP until it is closed.
 * @throws ConfigurationError, also for an address that everybody can reach without a key; and what `listen` throws
 */
export async function serve(given: ServeOptions): Promise<RunningServer> {
  const options = checkOptions(given, SERVE);
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, tls, logger = silentLogger } = options;
  const handler = createHandler({ ...DEFAULTS, ...ofHandler(options), ...accessOf(options, host) });
  const limits = completeLimits(options);
  const state = { draining: false };
  const server = createServer(limits, tls);
  answerAll(server, handler, { host, state, limits, logger });
  await listen(server, port, host);
  // One connection that cannot be accepted must not end the others: without a listener the process would.
  server.on("error", (err) => logger.error({ err }, "A connection could not be accepted"));
  return {
    url: urlOf(server.address() as AddressInfo, tls ? "https" : "http"),
    handler,
    setTls: (other) => setTls(server, other),
    close: (graceMs = DEFAULT_GRACE_MS) => {
      state.draining = true;
      return drain(server, handler, graceMs);
    },
    kill: () => handler.kill(),
  };
}

function accessOf(options: ServeOptions, host: string): Partial<HandlerOptions> {
  const { authKeys = [], allowAnonymous = false, authenticate, allowedHosts } = options;
  if (isLoopback(host)) {
    const local = { allowAnonymous: true, allowedHosts: allowedHosts ?? localNames(host) };
    return { ...local, sessionResumeMs: options.sessionResumeMs ?? LOCAL_RESUME_MS };
  }
  if (authKeys.length > 0 || authenticate || allowAnonymous) return {};
  throw new ConfigurationError(
    `${host} can be reached from outside: set a key (authKeys, --auth-key or AUTH_KEY), ` +
      "or let everybody in (allowAnonymous, --allow-anonymous or ALLOW_ANONYMOUS=true)",
  );
}

/** Milliseconds. A local client whose stream is cut has ended: no network is between that could have failed. */
const LOCAL_RESUME_MS = 750;

function ofHandler(options: ServeOptions): HandlerOptions {
  const entries = Object.entries(options).filter(([name]) => !OF_SERVE.has(name));
  return Object.fromEntries(entries) as HandlerOptions & Record<string, unknown>;
}

/** Makes a server that does not listen yet answer requests, and end the connections that must not stay. */
function answerAll(server: Server, handler: Handler, serving: Omit<Serving, "reporting">): void {
  const { limits, logger } = serving;
  logFailedHandshakes(server, logger);
  // Before the requests are answered: an answer may be out at once.
  const connections = trackConnections(server);
  closeWhenIdle(server, connections);
  limitConnections(server, connections, limits.maxConnections, logger);
  const reporting = cutSlowReaders(server, limits, logger);
  const pipelines = answerOneByOne(createRequestListener(handler, { ...serving, reporting }));
  for (const event of REQUEST_EVENTS) server.on(event, pipelines.listener);
  answerParseErrors(server, pipelines, limits, logger);
}

async function drain(server: Server, handler: Handler, graceMs: number): Promise<void> {
  await takeBacklog();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  handler.drain();
  await settlesWithin(closed, graceMs);
  await handler.close();
  // What has just been answered is still on its way out.
  if (!(await settlesWithin(closed, FLUSH_MS))) server.closeAllConnections();
}

/** Milliseconds for the last answers to reach their clients. */
const FLUSH_MS = 500;
