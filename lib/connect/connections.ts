import { createSecureContext, rootCertificates } from "node:tls";
import type { SecureContext } from "node:tls";

import type { Agent, Dispatcher, buildConnector } from "undici";

import { ConfigurationError } from "../configuration/error.ts";
import type { HttpMethod } from "./http.ts";
import { ConnectFailed } from "./network-errors.ts";

/** The sockets to a remote server. */
export interface Connections {
  /** @throws ConnectFailed if nothing was written, and what undici throws */
  request(url: URL, sent: Sent): Promise<Dispatcher.ResponseData>;
  close(): Promise<void>;
}

export interface Sent {
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

export interface ConnectionsOptions {
  readonly ca?: string | Buffer | undefined;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Milliseconds until a connection is made, its TLS handshake counted. */
const CONNECT_MS = 10_000;
/** Milliseconds without a byte after which the system asks whether the other side is still there. */
const KEEP_ALIVE_MS = 15_000;

/** @throws ConfigurationError for authorities that are none */
export async function openConnections({ ca }: ConnectionsOptions): Promise<Connections> {
  const undici = await import("undici");
  const secureContext = ca === undefined ? undefined : contextWith(ca);
  const connect = undici.buildConnector({
    timeout: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    ...(secureContext && { secureContext }),
  });
  const agent = new undici.Agent({ ...PATIENT, connect: telling(connect) });
  return {
    request: (url, sent) => ask(agent, url, sent),
    close: () => agent.destroy(),
  };
}

/** A tool may take an hour, and a stream says nothing while there is nothing to say. */
const PATIENT = { headersTimeout: 0, bodyTimeout: 0, pipelining: 1 } as const;

function contextWith(ca: string | Buffer): SecureContext {
  try {
    return createSecureContext({ ca: [...rootCertificates, ca] });
  } catch (cause) {
    throw new ConfigurationError("the certificate authorities are not in PEM", { cause });
  }
}

/** undici gives the same error to all requests that wait for a connection, and none of them was written. */
function telling(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error) callback(new ConnectFailed(error), null);
      else callback(null, socket);
    });
  };
}

function ask(
  agent: Agent,
  url: URL,
  { method, headers, body, signal }: Sent,
): Promise<Dispatcher.ResponseData> {
  return agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method,
    headers,
    signal,
    ...(body !== undefined && { body }),
  });
}
