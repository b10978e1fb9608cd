import { createServer as createHttpServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { isIPv6 } from "node:net";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Server as TlsServer } from "node:tls";

import { checkOptions } from "../configuration/check-options.ts";
import { ConfigurationError } from "../configuration/error.ts";
import { TRANSPORTS } from "../configuration/options.ts";
import type { HandlerOptions, Transport } from "../configuration/options.ts";
import { createHandler } from "../create-handler.ts";
import { MayflyError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import type { IncomingRequest } from "../incoming.ts";
import { silentLogger } from "../logger.ts";
import type { Logger } from "../logger.ts";
import { settlesWithin } from "../promises.ts";
import { errorResponse } from "../response.ts";
import { limitConnections } from "./connection-limit.ts";
import { REQUEST_EVENTS, closeWhenIdle } from "./connections.ts";
import { LIMIT_NAMES, completeLimits } from "./http-limits.ts";
import type { CompleteLimits, HttpLimits } from "./http-limits.ts";
import { lingerOver } from "./lingering.ts";
import { closing, createListener } from "./listener.ts";
import { answerParseErrors } from "./parse-errors.ts";
import { refusalOf } from "./refusals.ts";
import { SERVE } from "./serve-shape.ts";
import { toServerOptions } from "./tls.ts";
import type { TlsOptions } from "./tls.ts";
import { inTurn } from "./turns.ts";
import type { Turn } from "./turns.ts";
import { cutThoseWhoDoNotRead } from "./unread-answers.ts";
import type { Reporting } from "./unread-answers.ts";

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
const LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]"];
const LOCAL_IPV6 = "::1";

/**
 * Serves stdio MCP servers over HTTP until it is closed.
 * @throws ConfigurationError, also for an address that everybody can reach without a key; and what `listen` throws
 */
export async function serve(given: ServeOptions): Promise<RunningServer> {
  const options = checkOptions(given, SERVE);
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, tls, logger = silentLogger } = options;
  const limits = completeLimits(options);
  const handler = createHandler({ ...DEFAULTS, ...ofHandler(options), ...accessOf(options, host) });
  const state = { draining: false };
  const server = createServer(limits, tls);
  logFailedHandshakes(server, options);
  // Before the requests are answered: an answer may be out at once.
  closeWhenIdle(server);
  limitConnections(server, limits.maxConnections, logger);
  const reporting = cutThoseWhoDoNotRead(server, limits, logger);
  const turns = inTurn(requestListener(handler, { host, state, limits, reporting, logger }));
  for (const event of REQUEST_EVENTS) server.on(event, turns.listener);
  answerParseErrors(server, turns, limits, logger);
  await listen(server, port, host);
  // One connection that cannot be accepted must not end the others: without a listener the process would.
  server.on("error", (err) => options.logger?.error({ err }, "A connection could not be accepted"));
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

/** An address of IPv6 has brackets in a Host header. */
function localNames(host: string): readonly string[] {
  return host === LOCAL_IPV6 ? LOCAL_NAMES : [...LOCAL_NAMES, host];
}

/** Milliseconds. A local client whose stream is cut has ended: no network is between that could have failed. */
const LOCAL_RESUME_MS = 750;

function isLoopback(host: string): boolean {
  return host === "localhost" || host === LOCAL_IPV6 || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** What the handler takes: it knows of no connections. */
function ofHandler(options: ServeOptions): HandlerOptions {
  const own = new Set<string>(["host", "port", "tls", ...LIMIT_NAMES]);
  return Object.fromEntries(Object.entries(options).filter(([name]) => !own.has(name))) as HandlerOptions &
    Record<string, unknown>;
}

/** What the requests of a server have in common. */
interface Serving {
  readonly host: string;
  readonly state: { readonly draining: boolean };
  readonly limits: CompleteLimits;
  readonly reporting: Reporting;
  readonly logger: Logger;
}

function requestListener(handler: Handler, serving: Serving): RequestListener {
  const listener = createListener(async (request, context, turn) => {
    const refusal = checked(turn, serving);
    const answer = (): Promise<Response> =>
      handler.fetch(whenWanted(request, turn), { ...context, ...serving.reporting(turn.outgoing) });
    // Whoever sends that may mean something else by what follows.
    if (refusal) return closing(errorResponse(refusal));
    const response = await answer();
    return (await isLast(turn, serving)) ? closing(response) : response;
  }, serving.host);
  return (incoming, outgoing) => {
    lingerOver(incoming);
    // It never rejects.
    void listener(incoming, outgoing);
  };
}

function checked({ incoming }: Turn, { limits, logger }: Serving): MayflyError | undefined {
  const refusal = isUnknownExpectation(incoming)
    ? new MayflyError("EXPECTATION_NOT_MET")
    : refusalOf(incoming, limits.maxHeaders);
  if (refusal) logger.info({ status: refusal.status, code: refusal.code }, "refused");
  return refusal;
}

function isUnknownExpectation({ headers: { expect } }: Turn["incoming"]): boolean {
  return expect !== undefined && !CONTINUE.test(expect);
}

const CONTINUE = /^100-continue$/i;

/** A client that asks first is told to send its body when it is read, and not if it is refused without. */
function whenWanted(request: IncomingRequest, { incoming, outgoing }: Turn): IncomingRequest {
  if (incoming.headers.expect === undefined || incoming.httpVersion === "1.0") return request;
  const { method, url, headers, signal } = request;
  return {
    method,
    url,
    headers,
    ...(signal && { signal }),
    get body() {
      outgoing.writeContinue();
      return request.body;
    },
  };
}

/**
 * Whether the connection ends with the answer: while the server stops, as its client would keep it for the next request;
 * where the request is not all here, as the rest of it would be taken for another one; and where it asks for another
 * protocol, since Node reads nothing behind it.
 */
async function isLast({ incoming }: Turn, { state }: Serving): Promise<boolean> {
  // What came in one piece with the headers is read in this turn of the loop.
  if (!incoming.complete) await nextTurn();
  return state.draining || !incoming.complete || incoming.headers.upgrade !== undefined;
}

/**
 * Milliseconds for which an idle connection is kept. Balancers keep theirs for a minute, and would send a request on
 * one that is just being closed.
 */
const KEEP_ALIVE_MS = 65_000;

/** Milliseconds after its time until Node gives up on a body that nobody reads. */
const UNREAD_BODY_MS = 5000;
/** Milliseconds between two looks at connections whose time may be over, at most. */
const CHECK_MS = 2000;

function createServer(limits: CompleteLimits, tls: TlsOptions | undefined): Server {
  const { headersTimeoutMs, bodyTimeoutMs, maxHeaderBytes } = limits;
  const options = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Frames of an event stream are small and must not wait for more: Node's default for HTTP only.
    noDelay: true,
    headersTimeout: headersTimeoutMs,
    requestTimeout: headersTimeoutMs + bodyTimeoutMs + UNREAD_BODY_MS,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeoutMs),
    maxHeaderSize: maxHeaderBytes,
    insecureHTTPParser: false,
    // Ours is an answer that says why.
    requireHostHeader: false,
  };
  const server = tls
    ? createHttpsServer({ ...toServerOptions(tls), ...options, handshakeTimeout: headersTimeoutMs })
    : createHttpServer(options);
  // Node would leave out those beyond a number without a word. Ours are counted, and bounded by their bytes.
  server.maxHeadersCount = 0;
  return server;
}

function setTls(server: Server, tls: TlsOptions): void {
  if (!(server instanceof TlsServer)) throw new ConfigurationError("tls: this server speaks plain HTTP");
  server.setSecureContext(toServerOptions(tls));
}

/** Scanners fail at every public port, so it is for debugging; but nothing else tells of a client with the wrong scheme. */
function logFailedHandshakes(server: Server, { logger }: ServeOptions): void {
  server.on("tlsClientError", ({ code, message }: NodeJS.ErrnoException) =>
    logger?.debug({ reason: code ?? message }, "A TLS handshake failed"),
  );
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(explained(error, host, port));
    server.once("error", fail).listen(port, host, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function explained(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const address = authorityOf(host, port);
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `${address} is in use by another program: choose another port`,
    EACCES: `${address} needs more rights than this program has: choose another port`,
    EADDRNOTAVAIL: `${host} is no address of this machine: choose another host`,
    ENOTFOUND: `${host} is not known: choose another host`,
    EAI_AGAIN: `${host} is not known: choose another host`,
  };
  const reason = reasons[cause.code ?? ""];
  return reason === undefined ? cause : new Error(reason, { cause });
}

function urlOf({ address, port }: AddressInfo, scheme: string): string {
  return `${scheme}://${authorityOf(address, port)}`;
}

/** Host and port as a URL has them. */
function authorityOf(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

async function drain(server: Server, handler: Handler, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  handler.drain();
  await settlesWithin(closed, graceMs);
  await handler.close();
  // What has just been answered is still on its way out.
  if (!(await settlesWithin(closed, FLUSH_MS))) server.closeAllConnections();
}

/** Milliseconds for the last answers to reach their clients. */
const FLUSH_MS = 500;
