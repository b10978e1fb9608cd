import type { Readable } from "node:stream";

import { MayflyError } from "../../errors.ts";
import { mask } from "../../secrets.ts";
import { printable, silentLogger } from "../../logger.ts";
import type { Logger } from "../../logger.ts";
import { MAYFLY } from "../../version.ts";
import { openConnections } from "./connections.ts";
import type { Connections } from "./connections.ts";
import { decoded } from "./decoding.ts";
import { basicOf, checkHeaders, isLoopback, secretsOf } from "./header-rules.ts";
import { discard } from "./discarding.ts";
import { ConnectFailed, describe } from "./network-errors.ts";
import { redirectOf } from "./redirects.ts";

/** HTTP to one remote server: connections that are kept, proxies, authorities, and no redirect to strangers. */
export interface RemoteHttp {
  /**
   * @param signal also ends the reading of the body
   * @throws REMOTE_UNREACHABLE if nothing was sent, REMOTE_LOST if something may have been, REMOTE_REFUSED for a
   * redirect that is not followed, the reason of the signal
   */
  request(method: HttpMethod, url: URL, sent: HttpRequest): Promise<HttpAnswer>;
  /** The text without the values of headers and of the URL that were given as secrets, for logs and errors. */
  mask(text: string): string;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

export type HttpMethod = "GET" | "POST" | "DELETE";

export interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Called when all of the body has been handed to the socket; never, if it was not. */
  readonly written?: (() => void) | undefined;
  /** What is asked for, as the text of an error says it. @default the HTTP method */
  readonly what?: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** By their names in small letters; of repeated ones the first, but all challenges. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Where it came from, behind redirects. */
  readonly url: URL;
  /** As the request said it. */
  readonly what: string;
  /** Decoded. Must be read to its end, or destroyed. Emits no unhandled error: when it breaks, it is destroyed. */
  readonly body: Readable;
}

export interface RemoteHttpOptions {
  /** Sent with every request, in place of others of the same name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Authorities in PEM, beside those of Node. */
  readonly ca?: string | Buffer | undefined;
  /** Where the variables of proxies are looked up. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** @default none */
  readonly logger?: Logger | undefined;
}

/**
 * Loads undici when it is called: it takes a tenth of a second.
 * @throws ConfigurationError for headers, authorities or proxies that cannot be
 */
export async function createRemoteHttp(options: RemoteHttpOptions): Promise<RemoteHttp> {
  const own = checkHeaders(options.headers);
  const connections = await openConnections(options);
  const secrets = createSecrets(own);
  const warn = warnOnce(options.logger ?? silentLogger, own);
  const masked = (text: string): string => mask(text, secrets.all());
  return {
    async request(method, url, sent) {
      secrets.note(url);
      warn(url);
      const headers = { ...DEFAULTS, ...basicOf(url), ...lowered(sent.headers), ...own };
      return followed(connections, { method, url, headers, sent, mask: masked });
    },
    mask: masked,
    close: () => connections.close(),
  };
}

/** What comes compressed waits in the compressor of the server, and must be unpacked here. */
const DEFAULTS = { "user-agent": `${MAYFLY.name}/${MAYFLY.version}`, "accept-encoding": "identity" };

/** What is not to be seen, of the headers and of the URLs that are in use. */
interface Secrets {
  note(url: URL): void;
  all(): readonly string[];
}

/** Of URLs: each session of HTTP+SSE has one of its own, and a process may see many. */
const MAX_SECRETS = 100;

function createSecrets(own: Readonly<Record<string, string>>): Secrets {
  const always = secretsOf(own);
  let recent: readonly string[] = [];
  let last = "";
  return {
    note(url) {
      if (url.href === last) return;
      last = url.href;
      recent = [...new Set([...secretsOf({}, url), ...recent])].slice(0, MAX_SECRETS);
    },
    all: () => [...always, ...recent],
  };
}

function lowered(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function warnOnce(logger: Logger, own: Readonly<Record<string, string>>): (url: URL) => void {
  let isWarned = false;
  return (url) => {
    if (isWarned || url.protocol !== "http:" || isLoopback(url.hostname)) return;
    if (secretsOf(own, url).length === 0) return;
    isWarned = true;
    logger.warn({ host: url.host }, "Headers go there unencrypted: use https:// if the server has it");
  };
}

interface Sending {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly sent: HttpRequest;
  readonly mask: RemoteHttp["mask"];
}

const MAX_REDIRECTS = 5;

/** Source: RFC 9110, 15.4. */
async function followed(connections: Connections, sending: Sending): Promise<HttpAnswer> {
  let { url } = sending;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await answered(connections, { ...sending, url });
    const next = redirectOf(answer, sending.method);
    if (!next) return answer;
    discard(answer.body, sending.sent.signal);
    if (redirects === MAX_REDIRECTS) throw refused(answer, `: it redirects more than ${MAX_REDIRECTS} times`);
    if (typeof next === "string") throw refused(answer, `: ${sending.mask(next)}`);
    url = next;
  }
}

function refused({ status, what }: HttpAnswer, detail: string): MayflyError {
  return new MayflyError("REMOTE_REFUSED", { values: { method: what, status, detail } });
}

async function answered(connections: Connections, sending: Sending): Promise<HttpAnswer> {
  const { method, url, headers, sent } = sending;
  const what = printable(sent.what ?? method);
  try {
    sent.signal.throwIfAborted();
    const { body: text, signal, written } = sent;
    const answer = await connections.request(url, { method, headers, body: text, signal, written });
    const received = firstOf(answer.headers);
    const body = decoded(answer.body, received["content-encoding"], what);
    // Whoever reads finds it destroyed, and why in `errored`.
    body.on("error", noted);
    return { status: answer.statusCode, headers: received, url, what, body };
  } catch (cause) {
    sent.signal.throwIfAborted();
    if (cause instanceof MayflyError) throw cause;
    const code = cause instanceof ConnectFailed ? "REMOTE_UNREACHABLE" : "REMOTE_LOST";
    throw new MayflyError(code, { values: { detail: describe(cause), method: what }, cause });
  }
}

function noted(): void {}

function firstOf(headers: Readonly<Record<string, string | string[] | undefined>>): HttpAnswer["headers"] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (!Array.isArray(value)) return [name, value];
      return [name, name === "www-authenticate" ? value.join(", ") : value[0]];
    }),
  );
}
