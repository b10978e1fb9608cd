import { Socket } from "node:net";

import type { Agent, Dispatcher, buildConnector } from "undici";

import { ask } from "./asking.ts";
import type { Sent } from "./asking.ts";
import { trusting } from "./authorities.ts";
import { ConnectFailed } from "./network-errors.ts";
import { proxyFor } from "./proxies.ts";
import { askProxy, tunnelled } from "./tunnels.ts";

/** The sockets to a remote server, and to the proxy before it. */
export interface Connections {
  /** @throws ConnectFailed if nothing reached the server, and what undici throws */
  request(url: URL, sent: Sent): Promise<Dispatcher.ResponseData>;
  /** Ends all of them at once, also those that are being made. */
  close(): Promise<void>;
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
