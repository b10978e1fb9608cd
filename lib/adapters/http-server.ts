import { createServer as createHttpServer } from "node:http";
import type { Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { Server as TlsServer } from "node:tls";

import { ConfigurationError } from "../configuration/error.ts";
import type { Logger } from "../logger.ts";
import type { CompleteLimits } from "./http-limits.ts";
import { toServerOptions } from "./tls.ts";
import type { TlsOptions } from "./tls.ts";

/**
 * Milliseconds for which an idle connection is kept. Balancers keep theirs for a minute, and would send a request on
 * one that is just being closed.
 */
const KEEP_ALIVE_MS = 65_000;

/** Milliseconds after its time until Node gives up on a body that nobody reads. */
const UNREAD_BODY_MS = 5000;
/** Milliseconds between two looks at connections whose time may be over, at most. */
const CHECK_MS = 2000;

/** A server of HTTP, or of HTTPS, under the limits. @throws ConfigurationError */
export function createServer(limits: CompleteLimits, tls: TlsOptions | undefined): Server {
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

/** @throws ConfigurationError */
export function setTls(server: Server, tls: TlsOptions): void {
  if (!(server instanceof TlsServer)) throw new ConfigurationError("tls: this server speaks plain HTTP");
  server.setSecureContext(toServerOptions(tls));
}

/** Scanners fail at every public port, so it is for debugging; but nothing else tells of a client with the wrong scheme. */
export function logFailedHandshakes(server: Server, logger: Logger): void {
  server.on("tlsClientError", ({ code, message }: NodeJS.ErrnoException) =>
    logger.debug({ reason: code ?? message }, "A TLS handshake failed"),
  );
}
