import type { Socket } from "node:net";

import type { Agent, Dispatcher, buildConnector } from "undici";

import { ask } from "./asking.ts";
import type { Sent } from "./asking.ts";
import { basicOf } from "./header-rules.ts";
import { ConnectFailed } from "./network-errors.ts";

/** The two ways through a proxy. */

/** Asks a proxy for a connection to the server, and makes that secure. Source: RFC 9110, 9.3.6. */
export function tunnelled(
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

/** Asks a proxy for what is not secure, in place of the server. Source: RFC 9112, 3.2.2. */
export async function askProxy(
  agent: Agent,
  proxy: URL,
  url: URL,
  sent: Sent,
): Promise<Dispatcher.ResponseData> {
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
