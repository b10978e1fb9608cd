import type { ServeOptions, TlsOptions } from "../adapters/node.ts";
import { ConfigurationError } from "../configuration/error.ts";
import { INPUT_MODES, PARAM_HEADERS, SESSION_MODES, TRANSPORTS } from "../configuration/options.ts";
import type { CorsOptions, ServerConfig, Transport } from "../configuration/options.ts";
import { list, names, oneOf, toLogLevel, toolFilter, truth, wholeNumber } from "../configuration/values.ts";
import { EXPOSED } from "../cors.ts";
import { ERA_SETTINGS } from "../exchange/era-memory.ts";
import { MAX_PORT } from "../hosts.ts";
import type { LogLevel } from "../logger.ts";
import type { CommandOption } from "./command-option.ts";
import { readNamedServer, readVariable } from "./pairs.ts";
import { readFileFor } from "./option-file.ts";

/** What the options ask for, together: those of the adapter, and what the command does with them. */
export interface Settings extends Omit<Partial<ServeOptions>, "cors" | "tls"> {
  readonly cors?: Partial<CorsOptions>;
  readonly tls?: Partial<ServeOptions["tls"]>;
  /** The files that it was read from. */
  readonly tlsFiles?: TlsFiles;
  /** What --auth-key-file brought, in place of {@link ServeOptions.authKeys}. */
  readonly keyFile?: { readonly keys: readonly string[]; readonly writtenAs: string };
  readonly config?: string;
  readonly shell?: boolean;
  readonly namedServers?: Readonly<Record<string, ServerConfig>>;
  readonly transport?: Transport;
  readonly endpoint?: string;
  readonly shutdownTimeoutMs?: number;
  readonly logLevel?: LogLevel;
}

export type TlsFiles = { readonly [Part in keyof TlsOptions]?: string };

/** One option of `mayfly serve`: all that is said of it stands here. */
export interface ServeOption extends CommandOption {
  /** What errors of the library call it, which must name what the user wrote. */
  readonly places?: readonly string[];
  /** Reads its value. The name is that of the option or of the variable, for errors. */
  readonly read?: (text: string, name: string) => Settings;
  /** The same, for what is set in every server, over what the file says. */
  readonly readForServers?: (text: string, name: string) => Partial<ServerConfig>;
}

/** In the order of the help. An option that is read later wins over those that set the same. */
export const SERVE_OPTIONS: readonly ServeOption[] = [
  {
    flags: "--config <file>",
    variable: "MCP_CONFIG",
    otherwise: "./mcp.json if present",
    meaning: "configuration file; followed while serving",
    read: (config) => ({ config }),
  },
  {
    flags: "--port <number>",
    variable: "PORT",
    otherwise: "8000",
    places: ["port"],
    meaning: "0 picks a free one",
    read: (text, name) => ({ port: wholeNumber(text, name, 0, MAX_PORT) }),
  },
  {
    flags: "--host <address>",
    variable: "HOST",
    otherwise: "127.0.0.1",
    places: ["host"],
    meaning: "address to listen on",
    read: (host) => ({ host }),
  },
  {
    flags: "-e, --env <NAME=VALUE>",
    repeats: "each",
    meaning: "variable of the server; repeatable",
    readForServers: (pair, name) => ({ env: readVariable(pair, name) }),
  },
  {
    flags: "--named-server <NAME=COMMAND>",
    repeats: "each",
    hidden: true,
    meaning: "a server more",
    read: (pair, name) => ({ namedServers: readNamedServer(pair, name) }),
  },
  {
    flags: "--pass-env <names>",
    variable: "PASS_ENV",
    otherwise: "none",
    repeats: "list",
    places: ["passEnv"],
    meaning: "own variables that servers inherit: names, PREFIX_*, *",
    read: (text) => ({ passEnv: names(text) }),
  },
  {
    flags: "--allow-env <names>",
    variable: "ALLOW_ENV",
    otherwise: "none",
    repeats: "list",
    places: ["allowEnv"],
    meaning: "variables that a URL may set: names, PREFIX_*, *",
    read: (text) => ({ allowEnv: names(text) }),
  },
  {
    flags: "--allow-tools <names>",
    otherwise: "all",
    repeats: "list",
    meaning: "the only tools that callers see; * for any characters",
    readForServers: (text) => ({ tools: toolFilter(text, undefined) }),
  },
  {
    flags: "--deny-tools <names>",
    otherwise: "none",
    repeats: "list",
    meaning: "tools that no caller sees; * for any characters",
    readForServers: (text) => ({ tools: toolFilter(undefined, text) }),
  },
  {
    flags: "--cwd <folder>",
    otherwise: "folder of the file, or .",
    meaning: "working directory of the server",
    readForServers: (cwd) => ({ cwd }),
  },
  {
    flags: "--shell",
    otherwise: "off",
    meaning: "run the command through your shell",
    read: () => ({ shell: true }),
  },
  {
    flags: "--era <era>",
    otherwise: "auto",
    meaning: "of the server: auto, legacy, modern, dual",
    readForServers: (text, name) => ({ era: oneOf(text, name, ERA_SETTINGS) }),
  },
  {
    flags: "--input-mode <mode>",
    variable: "INPUT_MODE",
    otherwise: "refuse",
    meaning: "for questions of the server: refuse, rerun, hold",
    readForServers: (text, name) => ({ inputMode: oneOf(text, name, INPUT_MODES) }),
  },
  {
    flags: "--state-secret <texts>",
    variable: "STATE_SECRET",
    otherwise: "none",
    repeats: "list",
    places: ["stateSecrets"],
    meaning: "for rerun: 32 characters or more, separated by commas",
    read: (text) => ({ stateSecrets: list(text) }),
  },
  {
    flags: "--param-headers <when>",
    otherwise: "auto",
    places: ["paramHeaders"],
    meaning: "compare Mcp-Param headers: auto, always, off",
    read: (text, name) => ({ paramHeaders: oneOf(text, name, PARAM_HEADERS) }),
  },
  {
    flags: "--server <transport>",
    otherwise: "both",
    meaning: "serve only streamable HTTP (mcp) or HTTP+SSE (sse)",
    read: (text, name) => ({ transport: oneOf(text, name, TRANSPORTS) }),
  },
  {
    flags: "--mcp-path <path>",
    otherwise: "/mcp",
    places: ["paths.mcp"],
    meaning: "of streamable HTTP",
    read: (mcp) => ({ paths: { mcp } }),
  },
  {
    flags: "--sse-path <path>",
    otherwise: "/sse",
    places: ["paths.sse"],
    meaning: "of HTTP+SSE",
    read: (sse) => ({ paths: { sse } }),
  },
  {
    flags: "--messages-path <path>",
    otherwise: "/messages",
    places: ["paths.messages"],
    meaning: "where clients of HTTP+SSE post",
    read: (messages) => ({ paths: { messages } }),
  },
  {
    flags: "--endpoint <path>",
    meaning: "path of the transport that --server chose",
    read: (endpoint) => ({ endpoint }),
  },
  {
    flags: "--sessions <mode>",
    otherwise: "none",
    meaning: "of streamable HTTP: none, shared, independent",
    read: (text, name) => ({ sessions: oneOf(text, name, SESSION_MODES) }),
  },
  {
    flags: "--shared-session <true|false>",
    variable: "SHARED_SESSION",
    otherwise: "true",
    meaning: "one process for all clients of HTTP+SSE, or one each",
    read: (text, name) => ({ sharedSession: truth(text, name) }),
  },
  {
    flags: "--session-idle <ms>",
    variable: "SESSION_IDLE",
    otherwise: "300000",
    meaning: "an unused session ends after that",
    read: (text, name) => ({ sessionIdleMs: wholeNumber(text, name) }),
  },
  {
    flags: "--session-resume <ms>",
    variable: "SESSION_RESUME",
    otherwise: "750 on a loopback address, else 30000",
    meaning: "for a client that was cut off to come back, if nothing waits for it",
    read: (text, name) => ({ sessionResumeMs: wholeNumber(text, name) }),
  },
  {
    flags: "--heartbeat <ms>",
    otherwise: "30000",
    meaning: "between comments on idle streams of HTTP+SSE",
    read: (text, name) => ({ heartbeatMs: wholeNumber(text, name) }),
  },
  {
    flags: "--auth-key <keys>",
    variable: "AUTH_KEY",
    otherwise: "none",
    repeats: "list",
    places: ["authKeys"],
    meaning: "keys that open the door, separated by commas",
    read: (text, name) => ({ authKeys: keys(text, name) }),
  },
  {
    flags: "--auth-key-file <file>",
    variable: "AUTH_KEY_FILE",
    otherwise: "none",
    meaning: "file with the keys, by line or comma; read at the start",
    read: (file, name) => ({ keyFile: { keys: keysIn(file, name), writtenAs: name } }),
  },
  {
    flags: "--allow-anonymous",
    variable: "ALLOW_ANONYMOUS",
    otherwise: "off",
    meaning: "let everybody in, where there is no key",
    read: (text, name) => ({ allowAnonymous: truth(text, name) }),
  },
  {
    flags: "--allowed-hosts <names>",
    variable: "ALLOWED_HOSTS",
    otherwise: "local names when local",
    repeats: "list",
    places: ["allowedHosts"],
    meaning: "Host headers that are let in",
    read: (text) => ({ allowedHosts: names(text) }),
  },
  {
    flags: "--cors-origin <origins>",
    variable: "CORS_ORIGIN",
    otherwise: "none",
    repeats: "list",
    places: ["cors.origins", "cors", "corsOrigins"],
    meaning: "browser origins that may call",
    read: (text) => ({ cors: { origins: names(text) } }),
  },
  {
    flags: "--cors-credentials",
    otherwise: "off",
    places: ["cors.credentials"],
    meaning: "browsers may send cookies and the like",
    read: () => ({ cors: { credentials: true } }),
  },
  {
    flags: "--expose-header <names>",
    otherwise: "none",
    repeats: "list",
    places: ["cors.exposedHeaders"],
    meaning: "response headers that pages may read, beside those of MCP",
    // A page that cannot read the headers of MCP could not speak it.
    read: (text) => ({ cors: { exposedHeaders: [...EXPOSED, ...names(text)] } }),
  },
  {
    flags: "--cors-max-age <seconds>",
    otherwise: "86400",
    places: ["cors.maxAgeSeconds"],
    meaning: "how long browsers keep the answer to OPTIONS",
    read: (text, name) => ({ cors: { maxAgeSeconds: wholeNumber(text, name, 0) } }),
  },
  {
    flags: "--ssl-cert <file>",
    places: ["tls.cert"],
    meaning: "HTTPS: certificates in PEM",
    read: (file, name) => ({ tls: { cert: readFileFor(name, file) }, tlsFiles: { cert: file } }),
  },
  {
    flags: "--ssl-key <file>",
    places: ["tls.key"],
    meaning: "HTTPS: private key in PEM",
    read: (file, name) => ({ tls: { key: readFileFor(name, file) }, tlsFiles: { key: file } }),
  },
  {
    flags: "--ssl-ca <file>",
    places: ["tls.ca"],
    meaning: "HTTPS: authorities in PEM",
    read: (file, name) => ({ tls: { ca: readFileFor(name, file) }, tlsFiles: { ca: file } }),
  },
  {
    flags: "--ssl-passphrase-file <file>",
    variable: "SSL_KEY_PASSPHRASE",
    places: ["tls.passphrase"],
    meaning: "HTTPS: file with the passphrase of the key; the variable holds it itself",
    read: passphrase,
  },
  {
    flags: "--no-snapshot",
    variable: "SNAPSHOT",
    otherwise: "off",
    places: ["snapshot"],
    meaning: "lists come from a process too; as a variable, false",
    read: (text, name) => ({ snapshot: truth(text, name) }),
  },
  {
    flags: "--snapshot-ttl <ms>",
    variable: "SNAPSHOT_TTL",
    otherwise: "0",
    places: ["snapshotTtlMs"],
    meaning: "a snapshot is recorded anew after that; 0 is never",
    read: (text, name) => ({ snapshotTtlMs: wholeNumber(text, name, 0) }),
  },
  {
    flags: "--start-timeout <ms>",
    otherwise: "30000",
    meaning: "for the handshake",
    readForServers: (text, name) => ({ startTimeoutMs: wholeNumber(text, name) }),
  },
  {
    flags: "--request-timeout <ms>",
    otherwise: "60000",
    meaning: "for the request",
    readForServers: (text, name) => ({ requestTimeoutMs: wholeNumber(text, name) }),
  },
  {
    flags: "--shutdown-timeout <ms>",
    otherwise: "10000",
    meaning: "for what runs when it is told to stop",
    read: (text, name) => ({ shutdownTimeoutMs: wholeNumber(text, name, 0) }),
  },
  {
    flags: "--max-processes <n>",
    variable: "MAX_PROCESSES",
    otherwise: "8 per core, 128 MiB each",
    meaning: "processes alive at once",
    read: (text, name) => ({ maxProcesses: wholeNumber(text, name) }),
  },
  {
    flags: "--max-queued <n>",
    variable: "MAX_QUEUED",
    otherwise: "as many as processes",
    meaning: "requests that wait for a process",
    read: (text, name) => ({ maxQueued: wholeNumber(text, name, 0) }),
  },
  {
    flags: "--queue-timeout <ms>",
    otherwise: "5000",
    meaning: "a request that waits longer is refused",
    read: (text, name) => ({ queueTimeoutMs: wholeNumber(text, name) }),
  },
  {
    flags: "--max-body <bytes>",
    otherwise: "4 MiB",
    meaning: "of a request",
    read: (text, name) => ({ maxBodyBytes: wholeNumber(text, name) }),
  },
  {
    flags: "--max-message <bytes>",
    otherwise: "64 MiB",
    meaning: "of one line from the server",
    read: (text, name) => ({ maxMessageBytes: wholeNumber(text, name) }),
  },
  {
    flags: "--max-output <bytes>",
    otherwise: "256 MiB",
    meaning: "of all that a server writes for one request",
    read: (text, name) => ({ maxOutputBytes: wholeNumber(text, name) }),
  },
  {
    flags: "--max-buffered <bytes>",
    otherwise: "a seventh of Node's heap",
    meaning: "of long lines at once, from all servers",
    read: (text, name) => ({ maxBufferedBytes: wholeNumber(text, name) }),
  },
  {
    flags: "--body-timeout <ms>",
    otherwise: "30000",
    meaning: "until all of a request's body is here",
    read: (text, name) => ({ bodyTimeoutMs: wholeNumber(text, name) }),
  },
  {
    flags: "--headers-timeout <ms>",
    otherwise: "15000",
    meaning: "until the headers of a request are here",
    read: (text, name) => ({ headersTimeoutMs: wholeNumber(text, name) }),
  },
  {
    flags: "--stall-timeout <ms>",
    otherwise: "30000",
    meaning: "a client that takes nothing of its answer for that long is cut off",
    read: (text, name) => ({ stallTimeoutMs: wholeNumber(text, name) }),
  },
  {
    flags: "--max-header-bytes <bytes>",
    otherwise: "16384",
    meaning: "of all headers of a request",
    read: (text, name) => ({ maxHeaderBytes: wholeNumber(text, name) }),
  },
  {
    flags: "--max-headers <n>",
    otherwise: "128",
    meaning: "headers of a request",
    read: (text, name) => ({ maxHeaders: wholeNumber(text, name) }),
  },
  {
    flags: "--max-unsent <bytes>",
    otherwise: "a quarter of the memory",
    meaning: "of answers that wait for clients who do not read",
    read: (text, name) => ({ maxUnsentBytes: wholeNumber(text, name) }),
  },
  {
    flags: "--max-connections <n>",
    variable: "MAX_CONNECTIONS",
    otherwise: "what descriptors allow",
    meaning: "at once; idle ones give way to new ones",
    read: (text, name) => ({ maxConnections: wholeNumber(text, name) }),
  },
  {
    flags: "--spares <n>",
    variable: "SPARES",
    otherwise: "0",
    meaning: "processes started ahead; this version supports 0",
    read: noSpares,
  },
  {
    flags: "--log-level <level>",
    variable: "LOG_LEVEL",
    otherwise: "info",
    meaning: "debug, info, warn, error or silent",
    read: (text, name) => ({ logLevel: toLogLevel(text, name) }),
  },
  {
    flags: "--debug",
    otherwise: "off",
    meaning: "the same as --log-level debug",
    read: () => ({ logLevel: "debug" }),
  },
];

/** An option whose variable is not set must not open what it was meant to close. */
function keys(text: string, name: string): string[] {
  const found = list(text);
  if (found.length === 0) throw new ConfigurationError(`${name}: expected a key, found none`);
  return found;
}

function keysIn(file: string, name: string): string[] {
  return keys(readFileFor(name, file).toString().replace(/\r?\n/g, ","), `${name}: ${file}`);
}

function passphrase(text: string, name: string): Settings {
  if (!name.startsWith("--")) return { tls: { passphrase: text } };
  // Editors end a file with a new line.
  const content = readFileFor(name, text)
    .toString()
    .replace(/\r?\n$/, "");
  return { tls: { passphrase: content }, tlsFiles: { passphrase: text } };
}

function noSpares(text: string, name: string): Settings {
  if (text === "0") return {};
  throw new ConfigurationError(`${name}: this version supports 0`);
}
