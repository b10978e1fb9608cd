import { Socket } from "node:net";
import type { Readable } from "node:stream";

import type { Agent, Dispatcher, buildConnector } from "undici";

import { onAbort } from "../../lifetime.ts";
import { deferred } from "../../promises.ts";
import { trusting } from "./authorities.ts";
import { basicOf } from "./header-rules.ts";
import type { HttpMethod } from "./http.ts";
import { ConnectFailed } from "./network-errors.ts";
import { proxyFor } from "./proxies.ts";

/** The sockets to a remote server, and to the proxy before it. */
export interface Connections {
  /** @throws ConnectFailed if nothing reached the server, and what undici throws */
  request(url: URL, sent: Sent): Promise<Dispatcher.ResponseData>;
  /** Ends all of them at once, also those that are being made. */
  close(): Promise<void>;
}

export interface Sent {
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  readonly written?: (() => void) | undefined;
}

export interface ConnectionsOptions {
  readonly ca?: string | Buffer | undefined;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Milliseconds until a connection is made, its TLS handshake counted, and until a proxy has made its own. */
const CONNECT_MS = 10_000;
/** Milliseconds without a byte after which the system asks, ten times a second apart, whether the other side is there. */
const KEEP_ALIVE_MS = 15_000;
/** Milliseconds for one of several addresses before the next is tried. The 250 of Node 20 are less than far hosts take. */
const ATTEMPT_MS = 500;
/** A tool may take an hour, and a stream says nothing while there is nothing to say. */
const PATIENT = { headersTimeout: 0, bodyTimeout: 0, pipelining: 1 } as const;

/** @throws ConfigurationError for authorities that are none */
export async function openConnections({ ca, variables }: ConnectionsOptions): Promise<Connections> {
  const secureContext = trusting(ca);
  const { Agent: UndiciAgent, buildConnector: connector } = await import("undici");
  const connecting = new Set<Socket>();
  const connect = noted(
    connector({
      timeout: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says: keys go to whoever answers.
      rejectUnauthorized: true,
      ...(secureContext && { secureContext }),
    }),
    connecting,
  );
  const direct = new UndiciAgent({ ...PATIENT, connect });
  const toProxies = new UndiciAgent({ ...PATIENT, headersTimeout: CONNECT_MS, connect });
  const tunnels = new Map<string, Agent>();
  const tunnelBy = (proxy: URL): Agent => {
    const open =
      tunnels.get(proxy.href) ??
      new UndiciAgent({ ...PATIENT, connect: tunnelled(proxy, toProxies, connect) });
    tunnels.set(proxy.href, open);
    return open;
  };
  let isClosed = false;
  return {
    async request(url, sent) {
      if (isClosed) throw new ConnectFailed(undefined, "the connection was closed here");
      const proxy = proxyFor(url, variables);
      if (!proxy) return ask(direct, url, sent);
      return url.protocol === "https:" ? ask(tunnelBy(proxy), url, sent) : askProxy(direct, proxy, url, sent);
    },
    async close() {
      isClosed = true;
      for (const socket of connecting) socket.destroy();
      await Promise.all([direct, toProxies, ...tunnels.values()].map((agent) => agent.destroy()));
    },
  };
}

/**
 * undici gives the error of a connection that was not made to all requests that wait for it, and none of them was
 * written. It goes on making connections that nobody waits for any more, and so they are kept track of.
 */
function noted(connect: buildConnector.connector, connecting: Set<Socket>): buildConnector.connector {
  return (options, callback) => {
    // It returns the socket, which its types do not say.
    const made: unknown = connect(options, (...[error, socket]) => {
      if (made instanceof Socket) connecting.delete(made);
      if (error) callback(new ConnectFailed(error), null);
      else callback(null, socket);
    });
    if (made instanceof Socket) connecting.add(made);
  };
}

/** Asks a proxy for a connection to the server, and makes that secure. Source: RFC 9110, 9.3.6. */
function tunnelled(
  proxy: URL,
  toProxies: Agent,
  connect: buildConnector.connector,
): buildConnector.connector {
  const open = async (...[options, callback]: Parameters<typeof connect>): Promise<void> => {
    try {
      const httpSocket = await openTunnel(proxy, toProxies, options);
      connect({ ...options, httpSocket }, callback);
    } catch (error) {
      callback(error instanceof ConnectFailed ? error : new ConnectFailed(error), null);
    }
  };
  // It tells by the callback whatever happens.
  return (options, callback) => void open(options, callback);
}

async function openTunnel(
  proxy: URL,
  toProxies: Agent,
  { hostname, port }: buildConnector.Options,
): Promise<Socket> {
  const host = hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
  const path = `${host}:${port === "" ? "443" : port}`;
  const headers = { host: path, ...proxyHeaders(proxy) };
  const { statusCode, socket } = await toProxies
    .connect({ origin: proxy.origin, path, headers })
    .catch(throughProxy);
  if (statusCode === 200) return socket as Socket;
  socket.on("error", ignored).destroy();
  throw refusedBy(statusCode);
}

function throughProxy(cause: unknown): never {
  const { detail } = cause instanceof ConnectFailed ? cause : new ConnectFailed(cause);
  throw new ConnectFailed(cause, `the proxy: ${detail}`);
}

/** Of a socket that is given up. */
function ignored(): void {}

function refusedBy(status: number): ConnectFailed {
  const detail = status === 407 ? "the proxy wants other credentials" : `the proxy refused: HTTP ${status}`;
  return new ConnectFailed(undefined, detail);
}

function proxyHeaders(proxy: URL): Record<string, string> {
  const { authorization } = basicOf(proxy);
  return authorization === undefined ? {} : { "proxy-authorization": authorization };
}

/** Source: RFC 9112, 3.2.2. */
async function askProxy(agent: Agent, proxy: URL, url: URL, sent: Sent): Promise<Dispatcher.ResponseData> {
  const headers = { host: url.host, ...sent.headers, ...proxyHeaders(proxy) };
  const path = url.origin + url.pathname + url.search;
  const answer = await ask(agent, proxy, { ...sent, headers }, path).catch((error: unknown) => {
    if (error instanceof ConnectFailed) throughProxy(error);
    throw error;
  });
  if (answer.statusCode !== 407) return answer;
  answer.body.on("error", ignored).destroy();
  throw refusedBy(answer.statusCode);
}

async function ask(
  agent: Agent,
  { origin, pathname, search }: URL,
  { method, headers: given, body: text, signal, written }: Sent,
  path = pathname + search,
): Promise<Dispatcher.ResponseData> {
  // undici takes whatever can be iterated, which its types do not say.
  const body = written && text !== undefined ? (telltale(text, written) as unknown as Readable) : text;
  const headers = body === text ? given : { ...given, "content-length": lengthOf(text) };
  try {
    const request = { origin, path, method, headers, signal, ...(body !== undefined && { body }) };
    return await unlessAborted(agent.request(request), signal);
  } catch (error) {
    if (!isUnsendable(error)) throw error;
    throw new ConnectFailed(error, "what was to be sent is no HTTP request");
  }
}

/** undici heeds the signal of a request only when there is a connection for it, and none may come for ten seconds. */
async function unlessAborted<Value>(asked: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = deferred();
  const off = onAbort(signal, () => aborted.resolve());
  try {
    await Promise.race([asked, aborted.promise]);
    signal.throwIfAborted();
    return await asked;
  } finally {
    off();
  }
}

/** undici looks at a request before it looks for a connection. */
function isUnsendable(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "UND_ERR_INVALID_ARG";
}

/** The next piece is asked for when the socket has taken the one before. */
async function* telltale(text: string, written: () => void): AsyncGenerator<Buffer, void, void> {
  yield Buffer.from(text);
  written();
}

function lengthOf(text = ""): string {
  return String(Buffer.byteLength(text));
}
