import { X509Certificate } from "node:crypto";

import { ConfigurationError } from "../configuration/error.ts";
import { expand } from "../configuration/expand.ts";
import type { Variables } from "../configuration/expand.ts";
import { oneOf, toLogLevel, wholeNumber } from "../configuration/values.ts";
import { secretsOf } from "../connect/wire/header-rules.ts";
import type { ConnectOptions } from "../connect/options.ts";
import type { LogLevel } from "../logger.ts";
import { MAX_TIMER_MS } from "../promises.ts";
import type { CommandOption } from "./command-option.ts";
import {
  apiKeyHeader,
  bearerHeader,
  headerOf,
  headersInFile,
  headersOfVariables,
  joinHeaders,
} from "./connect-headers.ts";
import type { GivenHeader } from "./connect-headers.ts";
import { readUrl } from "./connect-url.ts";
import { given, over } from "./given.ts";
import type { Flags } from "./given.ts";
import { readFileFor } from "./option-file.ts";

/** What `connect` is started with, and how it reports. */
export interface ConnectAsked {
  readonly options: ConnectOptions & { readonly url: URL };
  readonly logLevel: LogLevel;
  readonly debugFile: string | undefined;
  /** What no log shows: values of headers, and what the URL has beyond host and path. */
  readonly secrets: readonly string[];
}

type Settings = Omit<ConnectOptions, "url" | "headers"> & {
  readonly logLevel?: LogLevel;
  readonly debugFile?: string;
};

/** One option of `mayfly connect`: all that is said of it stands here. */
export interface ConnectOption extends CommandOption {
  /** Reads its value. The name is that of the option or of the variable, for errors. */
  readonly read?: (text: string, name: string) => Settings;
  /** The same, for what becomes headers. */
  readonly readHeaders?: (text: string, name: string, variables: Variables) => readonly GivenHeader[];
}

const REMOTE_TRANSPORTS = ["auto", "http", "sse"] as const;

/** A ping more often than that was meant in seconds, as other programs count. */
const MIN_PING_INTERVAL_MS = 1000;

/** In the order of the help. An option that is read later wins over those that set the same. */
export const CONNECT_OPTIONS: readonly ConnectOption[] = [
  {
    flags: "--transport <name>",
    otherwise: "auto",
    meaning: "auto, http (streamable HTTP) or sse (HTTP+SSE); auto tries both, in this order",
    read: (text, name) => ({ transport: oneOf(text, name, REMOTE_TRANSPORTS) }),
  },
  {
    flags: "--header <'NAME: VALUE'>",
    repeats: "each",
    meaning: "sent with every request; ${VAR} is replaced; repeatable",
    readHeaders: (text, name, variables) => [headerOf(text, name, variables)],
  },
  {
    flags: "--header-file <file>",
    repeats: "each",
    meaning: "file with such headers, one a line; # begins a comment",
    readHeaders: headersInFile,
  },
  {
    flags: "--pass-env <NAME=HEADER>",
    repeats: "each",
    otherwise: "none",
    meaning: "own variables sent as headers: NAME=HEADER, PREFIX_*=HEADER-*",
    readHeaders: headersOfVariables,
  },
  {
    flags: "--api-access-token <token>",
    variable: "API_ACCESS_TOKEN",
    otherwise: "none",
    meaning: "sent as Authorization: Bearer TOKEN",
    readHeaders: (text, name, variables) => [bearerHeader(written(text, name, variables), name)],
  },
  {
    flags: "--api-access-token-file <file>",
    otherwise: "none",
    meaning: "file with this token; read at the start",
    readHeaders: (file, name) => [bearerHeader(lineIn(file, name), name)],
  },
  {
    flags: "--api-key <key>",
    variable: "MAYFLY_API_KEY",
    otherwise: "none",
    meaning: "sent as X-API-Key: KEY",
    readHeaders: (text, name, variables) => [apiKeyHeader(written(text, name, variables), name)],
  },
  {
    flags: "--api-key-file <file>",
    otherwise: "none",
    meaning: "file with this key; read at the start",
    readHeaders: (file, name) => [apiKeyHeader(lineIn(file, name), name)],
  },
  {
    flags: "--ssl-ca <file>",
    meaning: "authorities in PEM that are trusted beside those of Node",
    read: (file, name) => ({ ca: authoritiesIn(file, name) }),
  },
  {
    flags: "--ping-interval <ms>",
    otherwise: "10000",
    meaning: "between pings of an idle session; 0 sends none",
    read: (text, name) => ({ pingIntervalMs: pingInterval(text, name) }),
  },
  {
    flags: "--start-timeout <ms>",
    otherwise: "30000",
    meaning: "a first request waits for a server that cannot be reached",
    read: (text, name) => ({ startTimeoutMs: wholeNumber(text, name, 0, MAX_TIMER_MS) }),
  },
  {
    flags: "--max-message <bytes>",
    otherwise: "64 MiB",
    meaning: "of one message from the server",
    read: (text, name) => ({ maxMessageBytes: wholeNumber(text, name) }),
  },
  {
    flags: "--log-level <level>",
    variable: "LOG_LEVEL",
    otherwise: "info",
    meaning: "debug, info, warn, error or silent; on stderr",
    read: (text, name) => ({ logLevel: toLogLevel(text, name) }),
  },
  {
    flags: "--debug",
    otherwise: "off",
    meaning: "the same as --log-level debug: every message, secrets masked",
    read: () => ({ logLevel: "debug" }),
  },
  {
    flags: "--debug-file <file>",
    otherwise: "none",
    meaning: "what --debug shows goes there, at the end of the file",
    read: (debugFile) => ({ debugFile }),
  },
];

/**
 * Reads what was asked for, and the files that it names. An option wins over the environment.
 * @param url as it was written; `SSE_URL` stands for it
 * @throws ConfigurationError that names the option, or the variable
 */
export function connectOptions(url: string | undefined, flags: Flags, variables: Variables): ConnectAsked {
  const asked = readUrl(url, variables);
  let settings: Settings = {};
  const headers: GivenHeader[] = [...asked.headers];
  for (const option of CONNECT_OPTIONS) {
    for (const { text, name } of given(option, flags, variables)) {
      settings = over(settings, option.read?.(text, name));
      headers.push(...(option.readHeaders?.(text, name, variables) ?? []));
    }
  }
  const { logLevel = "info", debugFile, ...rest } = settings;
  const joined = joinHeaders(headers);
  return {
    options: { url: asked.url, headers: joined, variables, ...rest },
    logLevel,
    debugFile,
    secrets: [...asked.secrets, ...secretsOf(joined)],
  };
}

function pingInterval(text: string, name: string): number {
  const ms = wholeNumber(text, name, 0, MAX_TIMER_MS);
  if (ms === 0 || ms >= MIN_PING_INTERVAL_MS) return ms;
  throw new ConfigurationError(
    `${name}: expected milliseconds, ${MIN_PING_INTERVAL_MS} or more, or 0 for no pings; found ${ms}`,
  );
}

function authoritiesIn(file: string, name: string): Buffer {
  const ca = readFileFor(name, file);
  try {
    void new X509Certificate(ca);
    return ca;
  } catch (cause) {
    throw new ConfigurationError(`${name}: ${file} holds no certificate in PEM`, { cause });
  }
}

/** A secret in an option may name a variable; in a variable it stands as it is. */
function written(text: string, name: string, variables: Variables): string {
  return name.startsWith("--") ? expand(text, variables, name) : text;
}

/** A secret in a file of its own. Editors end it with a new line. */
function lineIn(file: string, name: string): string {
  const text = readFileFor(name, file).toString().trim();
  if (text !== "" && !text.includes("\n")) return text;
  throw new ConfigurationError(`${name}: ${file} must hold one line`);
}
