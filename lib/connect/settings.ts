import type { Readable, Writable } from "node:stream";

import { ConfigurationError } from "../configuration/error.ts";
import { silentLogger } from "../logger.ts";
import type { Logger } from "../logger.ts";
import { rationed } from "./rationed-log.ts";
import { MAX_TIMER_MS, attempt } from "../promises.ts";
import { trusting } from "./wire/authorities.ts";
import { checkHeaders } from "./wire/header-rules.ts";
import type { ConnectOptions, RemoteTransport } from "./options.ts";

/** The options, checked and complete. */
export interface Settings {
  readonly url: URL;
  readonly transport: RemoteTransport;
  readonly headers: Readonly<Record<string, string>>;
  readonly pingIntervalMs: number;
  readonly startTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly ca: string | Buffer | undefined;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly input: Readable;
  readonly output: Writable;
  readonly logger: Logger;
  /** Shows a message to whoever watches. Never throws. */
  readonly watch: (direction: "in" | "out", text: string) => void;
}

const PING_INTERVAL_MS = 10_000;
/** Most clients wait for 60 seconds: they are to hear what is wrong, and not to give up before. */
const START_TIMEOUT_MS = 30_000;
const MAX_MESSAGE_BYTES = 64 * 1024 ** 2;

/** @throws ConfigurationError */
export function toSettings(options: ConnectOptions): Settings {
  const { ca } = options;
  // Messages are shown by the caller's own logger, and at their level.
  const logger = rationed(options.logger ?? silentLogger);
  // Told now, and not when the first message comes.
  trusting(ca);
  return {
    url: toUrl(options.url),
    transport: toTransport(options.transport ?? "auto"),
    headers: checkHeaders(options.headers ?? {}),
    pingIntervalMs: whole("pingIntervalMs", options.pingIntervalMs ?? PING_INTERVAL_MS, 0, MAX_TIMER_MS),
    startTimeoutMs: whole("startTimeoutMs", options.startTimeoutMs ?? START_TIMEOUT_MS, 0, MAX_TIMER_MS),
    maxMessageBytes: whole("maxMessageBytes", options.maxMessageBytes ?? MAX_MESSAGE_BYTES, 1),
    ca,
    variables: options.variables ?? process.env,
    input: options.input ?? process.stdin,
    output: options.output ?? process.stdout,
    logger,
    watch: watchOf(options, logger),
  };
}

function toUrl(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") {
    // It is for browsers, and never sent.
    url.hash = "";
    return url;
  }
  // The URL itself may hold a secret.
  throw new ConfigurationError("url: expected the http:// or https:// URL of a remote MCP server");
}

const TRANSPORTS: readonly RemoteTransport[] = ["auto", "http", "sse"];

function toTransport(given: RemoteTransport): RemoteTransport {
  if (TRANSPORTS.includes(given)) return given;
  throw new ConfigurationError(`transport: expected one of ${TRANSPORTS.join(", ")}`);
}

function whole(name: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ConfigurationError(`${name}: expected a whole number from ${min} to ${max}`);
}

function watchOf({ onMessage }: ConnectOptions, logger: Logger): Settings["watch"] {
  if (!onMessage) return () => undefined;
  return (direction, text) =>
    attempt(
      () => onMessage(direction, text),
      (err) => logger.error({ err }, "onMessage threw"),
    );
}
