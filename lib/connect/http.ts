import type { Readable } from "node:stream";

import { MayflyError } from "../errors.ts";

/** HTTP to one remote server: connections that are kept, proxies, authorities, and no redirect to strangers. */
export interface RemoteHttp {
  /**
   * @param signal also ends the reading of the body
   * @throws REMOTE_UNREACHABLE if nothing was sent, REMOTE_LOST if something may have been, the reason of the signal
   */
  request(method: "GET" | "POST" | "DELETE", url: URL, sent: HttpRequest): Promise<HttpAnswer>;
  /** Ends all connections. */
  close(): Promise<void>;
}

export interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** By their names in small letters; of repeated ones the first. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Where it came from, behind redirects. */
  readonly url: URL;
  /** Must be read to its end, or destroyed. */
  readonly body: Readable;
}

export interface RemoteHttpOptions {
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly ca?: string | Buffer | undefined;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Loads undici when it is called: it takes a tenth of a second. */
export async function createRemoteHttp({ headers }: RemoteHttpOptions): Promise<RemoteHttp> {
  const { Agent } = await import("undici");
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 1 });
  return {
    async request(method, url, sent) {
      try {
        const {
          statusCode,
          headers: received,
          body,
        } = await agent.request({
          origin: url.origin,
          path: url.pathname + url.search,
          method,
          headers: { ...sent.headers, ...headers },
          signal: sent.signal,
          ...(sent.body !== undefined && { body: sent.body }),
        });
        const first = Object.entries(received).map(([name, value]) => [
          name,
          Array.isArray(value) ? value[0] : value,
        ]);
        return { status: statusCode, headers: Object.fromEntries(first) as HttpAnswer["headers"], url, body };
      } catch (cause) {
        sent.signal.throwIfAborted();
        throw unreachable(cause);
      }
    },
    close: () => agent.destroy(),
  };
}

function unreachable(cause: unknown): MayflyError {
  const { code = "no connection" } = cause as NodeJS.ErrnoException;
  const isSent =
    !/^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code);
  return new MayflyError(isSent ? "REMOTE_LOST" : "REMOTE_UNREACHABLE", { values: { detail: code }, cause });
}
