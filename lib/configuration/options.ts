import type { EraSetting } from "../exchange/era-memory.ts";
import type { EventStore } from "../event-store.ts";
import type { Logger } from "../logger.ts";

/** One stdio server, as the operator writes it: the `mcpServers` format of Claude Desktop and Cursor. */
export interface ServerConfig {
  /** The program. `npx -y <package>` runs the package's own entry file where the package is installed. */
  readonly command: string;
  readonly args?: readonly string[];
  /** Variables of the server, on top of the short inherited list (see `environment.ts`). */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory, relative to {@link HandlerOptions.baseDirectory}. @default "." */
  readonly cwd?: string;
  /** Leaves the server out. @default false */
  readonly disabled?: boolean;
  /** The same the other way round, as some tools write it. @default true */
  readonly enabled?: boolean;
  /** Processes of this server that are alive at once; further requests for it wait. @default HandlerOptions.maxProcesses */
  readonly maxProcesses?: number;
  /** Bytes of all that the server writes to stdout for one request. @default HandlerOptions.maxOutputBytes */
  readonly maxOutputBytes?: number;
  /** Milliseconds in which the server must answer the handshake. @default HandlerOptions.startTimeoutMs */
  readonly startTimeoutMs?: number;
  /** Milliseconds in which the server must answer the request. @default HandlerOptions.requestTimeoutMs */
  readonly requestTimeoutMs?: number;
  /** What the server speaks: the initialize handshake, 2026-07-28, both, or `auto`: found out. @default "auto" */
  readonly era?: EraSetting;
  /** What becomes of the server's questions to its client. @default HandlerOptions.inputMode */
  readonly inputMode?: InputMode;
  /**
   * Which tools may run again from the beginning under `rerun`: those with `readOnlyHint` or `idempotentHint`, or all.
   * @default "safe"
   */
  readonly rerun?: "safe" | "always";
  /** Milliseconds that modern clients may keep lists and resources of a legacy server. @default 0 */
  readonly cacheTtlMs?: number;
  /** Whether they may share them with other users. @default "private" */
  readonly cacheScope?: "public" | "private";
  /** The tools that callers see and may call. @default all */
  readonly tools?: ToolFilter;
  /**
   * Whether each process of the server gets a HOME and a folder for temporary files (`TMPDIR`) of its own, which are
   * removed after it. What `env` says of them stays. @default true for a request that sets variables, else false
   */
  readonly private?: boolean;
  /**
   * Whether processes that leave the group of the server, as daemons do, may stay after it. Otherwise they are ended as
   * well, on Linux. @default false
   */
  readonly keepDaemons?: boolean;
  /** Variables of the server that a request may set by URL parameters of the same name: names, `PREFIX_*`, or `*`. @default HandlerOptions.allowEnv */
  readonly allowEnv?: readonly string[];
  /**
   * Variables of the server whose values a request brings, and where: `header:NAME`, `query:NAME` (a URL parameter) or
   * `bearer`. What a request does not bring is not set in its process, also where passEnv names it. A value has up to
   * 16 384 bytes; more is 400. @default none
   */
  readonly envFrom?: Readonly<Record<string, string>>;
  /** What the system lets each process of the server use. @default none: those of Mayfly */
  readonly limits?: ServerLimits;
  /** What Node lets the server do, for servers that run under Node. @default none: all */
  readonly permissions?: ServerPermissions;
  /**
   * What stands before the command: a sandbox such as `bwrap`, or `docker run`, with its arguments. `{home}`, `{tmp}`,
   * `{cwd}` and `{name}` are filled in for each process; `{env}` becomes `--env NAME` for each variable that is given
   * to this server. @default none
   */
  readonly wrapper?: readonly string[];
  /**
   * Whether lists and the like are answered from the server's snapshot: unless the request brings variables; even then,
   * since they change nothing about what the server lists; or never. @default "auto"
   */
  readonly snapshot?: SnapshotSetting;
}

/**
 * What the system lets each process of a server use: hard limits, each in whole numbers, for every process that it
 * starts too. A server does not start under a limit that cannot be set. Not on Windows.
 */
export interface ServerLimits {
  /** Seconds of computing. Then SIGXCPU, and SIGKILL a second later. @default none */
  readonly cpuSeconds?: number;
  /**
   * MiB of address space, beyond which a program gets no memory. V8 reserves much more than it uses: below 1200, Node
   * may not start, and below some 12000 WebAssembly and `fetch` may fail. @default none
   */
  readonly addressSpaceMiB?: number;
  /** MiB of objects of JavaScript, beyond which Node ends. For servers that run under Node. @default Node's own */
  readonly heapMiB?: number;
  /** Files, sockets and pipes that are open at once; beyond them is EMFILE. @default none */
  readonly openFiles?: number;
  /** MiB of one file; to write more is EFBIG, or ends the process with SIGXFSZ. @default none */
  readonly fileMiB?: number;
  /** MiB of the memory image that a crash leaves; 0 is none. @default none */
  readonly coreMiB?: number;
}

/**
 * What Node lets a server do, by its permission model. All but the network is refused unless it is given here. The
 * server's own package, and what it imports, can be read. It is a seat belt for honest code, and no wall.
 */
export interface ServerPermissions {
  /** Files and folders that may be read, relative to `cwd`; `{home}`, `{tmp}` and `{cwd}` stand for themselves, `*` for all. @default none */
  readonly fsRead?: readonly string[];
  /** The same for writing. What is not there yet when the process starts counts as a file. @default none */
  readonly fsWrite?: readonly string[];
  /** To start programs, for which none of these permissions count. @default false */
  readonly childProcess?: boolean;
  /** To start worker threads. @default false */
  readonly worker?: boolean;
  /** To load native addons, for which none of these permissions count. @default false */
  readonly addons?: boolean;
  /** To use WASI. @default false */
  readonly wasi?: boolean;
  /** To use the network. Node before 25 cannot refuse it, and `false` is then an error. @default true */
  readonly net?: boolean;
}

/** Tools by name, where `*` stands for any characters. A tool that both name is denied. */
export interface ToolFilter {
  /** @default all */
  readonly allow?: readonly string[];
  /** @default none */
  readonly deny?: readonly string[];
}

/**
 * What becomes of a server's questions to its client (elicitation, sampling, roots): they are refused; or a modern
 * client answers them, and the request runs again from its beginning; or the process waits for the answer.
 */
export const INPUT_MODES = ["refuse", "rerun", "hold"] as const;

export type InputMode = (typeof INPUT_MODES)[number];

export const PARAM_HEADERS = ["auto", "always", "off"] as const;

export type ParamHeaders = (typeof PARAM_HEADERS)[number];

export const SNAPSHOT_SETTINGS = ["auto", "always", "never"] as const;

export type SnapshotSetting = (typeof SNAPSHOT_SETTINGS)[number];

/** Servers by name, and which of them answers on the bare path. */
export interface McpConfig {
  readonly mcpServers: Readonly<Record<string, ServerConfig>>;
  /** @default the only server, if there is one */
  readonly default?: string;
}

/**
 * Who keeps a server's process over several requests: nobody, since each request has its own; all clients together; or
 * each client for itself.
 */
export const SESSION_MODES = ["none", "shared", "independent"] as const;

export type SessionMode = (typeof SESSION_MODES)[number];

/** Streamable HTTP, and the HTTP+SSE of 2024-11-05. */
export const TRANSPORTS = ["mcp", "sse"] as const;

export type Transport = (typeof TRANSPORTS)[number];

/** A client that is connected for more than one request. */
export interface SessionInfo {
  /** Names it in the log. No request can be made with it. */
  readonly id: string;
  /** The server's name. */
  readonly server: string;
  readonly transport: Transport;
  /** Names the caller, by the key that let it in. */
  readonly principal: string;
}

/** Where the transports are served. Each begins with a slash. */
export interface Paths {
  /** Streamable HTTP, of a named server at `PATH/:server`. @default "/mcp" */
  readonly mcp?: string;
  /** The event stream of HTTP+SSE, of a named server at `PATH/:server`. @default "/sse" */
  readonly sse?: string;
  /** Where clients of HTTP+SSE post. @default "/messages" */
  readonly messages?: string;
}

/** Which pages in browsers may call, and read the answers. */
export interface CorsOptions {
  /**
   * Origins that may call: exact, all below a domain (`https://*.example.com`), all ports of a host
   * (`http://localhost:*`), or `*`. As a function, it decides for each origin; to throw is to refuse, and so is to take
   * longer than 10 seconds.
   */
  readonly origins: readonly string[] | ((origin: string) => boolean | Promise<boolean>);
  /** @default ["POST", "GET", "DELETE", "OPTIONS"] */
  readonly methods?: readonly string[];
  /** Headers that a page may send; `*` allows those that it asks for. @default ["*"] */
  readonly allowedHeaders?: readonly string[];
  /** Headers that a page may read. @default Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After */
  readonly exposedHeaders?: readonly string[];
  /** Lets the browser send its cookies and read the answer. Not with the origin `*`. @default false */
  readonly credentials?: boolean;
  /** Seconds for which a browser may keep the answer to a preflight. @default 86400 */
  readonly maxAgeSeconds?: number;
}

/**
 * Decides who calls: undefined is 401; what it throws, and to take longer than 10 seconds, 500. It is asked before the
 * body is read, for every request but OPTIONS, `/health` without `?deep=1`, and POSTs to `/messages`, whose client was
 * let in when its stream was opened.
 */
export type Authenticate = (
  request: AuthenticateRequest,
) => Authenticated | undefined | Promise<Authenticated | undefined>;

/** What {@link Authenticate} sees of a request. */
export interface AuthenticateRequest {
  readonly method: string;
  readonly url: string;
  /** A copy: what is changed in it changes nothing. */
  readonly headers: Headers;
}

/** A caller who was let in. */
export interface Authenticated {
  /** Names the caller, and is no secret: sessions and processes that wait belong to it. Not empty. */
  readonly principal: string;
}

/** What {@link createHandler} takes. */
export interface HandlerOptions extends McpConfig {
  /** Keys that open the door; several allow rotation. @default none: everybody gets 401 */
  readonly authKeys?: readonly string[];
  /** Lets everybody in when there is no key. @default false */
  readonly allowAnonymous?: boolean;
  /** Decides who calls, in place of `authKeys`. @default the keys decide */
  readonly authenticate?: Authenticate;
  /** Browser origins that may call; others get 403. Short for `cors: { origins }`. @default none */
  readonly corsOrigins?: readonly string[];
  /** In place of `corsOrigins`. @default none */
  readonly cors?: CorsOptions;
  /**
   * Hosts that a request may be addressed to, others get 403: names and addresses, all names below one
   * (`*.example.com`), or `*`; with a port for that port alone. `/health` answers under every name. @default any
   */
  readonly allowedHosts?: readonly string[];
  /** Our own variables that servers inherit: names, `PREFIX_*`, or `*`. @default none */
  readonly passEnv?: readonly string[];
  /** Where relative paths, `node_modules` and `servers/` are looked up. @default process.cwd() */
  readonly baseDirectory?: string;
  /** Milliseconds in which a server must answer the handshake. @default 30000 */
  readonly startTimeoutMs?: number;
  /** Milliseconds in which a server must answer the request, counted from when it was sent on. @default 60000 */
  readonly requestTimeoutMs?: number;
  /** Milliseconds in which a server must answer `server/discover`, before it counts as one without it. @default 5000 */
  readonly probeTimeoutMs?: number;
  /** What becomes of a server's questions to its client. @default "refuse" */
  readonly inputMode?: InputMode;
  /**
   * Secrets for the states that travel through clients under `rerun`, of at least 32 characters: the first one seals,
   * all of them open. Every instance needs the same. @default none
   */
  readonly stateSecrets?: readonly string[];
  /** Whether `subscriptions/listen` is served by a process, or ended gracefully at once. @default "acknowledge" */
  readonly listen?: "acknowledge" | "serve";
  /**
   * When the headers that repeat a tool's arguments are compared with them: if there are any or the tool is known to
   * ask for them, always (the server is asked for its tools first), or never. @default "auto"
   */
  readonly paramHeaders?: ParamHeaders;
  /** Lets MCP-Protocol-Version name a legacy revision in a modern request, as some gateways make it. @default false */
  readonly lenientVersionHeader?: boolean;
  /**
   * Processes of all servers that are alive at once; further requests wait. A place goes to the caller who has the
   * fewest. @default 8 per core, as far as half the memory holds them at 128 MiB each; at least 4
   */
  readonly maxProcesses?: number;
  /**
   * Requests that may wait for a place; 0 lets none wait. One more is 503, or pushes out the newest of a caller who has
   * more of the places and the queue. @default maxProcesses
   */
  readonly maxQueued?: number;
  /** Milliseconds that a request may wait for a place; then 503. @default 5000 */
  readonly queueTimeoutMs?: number;
  /** Bytes of a request body; more is 413. @default 4 MiB */
  readonly maxBodyBytes?: number;
  /** Milliseconds in which the whole body of a request must be here; later is 408. @default 30000 */
  readonly bodyTimeoutMs?: number;
  /**
   * Bytes of one line from a server; more ends it with a `protocol` error. @default 64 MiB, and never more than
   * `maxBufferedBytes`
   */
  readonly maxMessageBytes?: number;
  /**
   * Bytes of all that a server writes to stdout for one request; more ends it with a `protocol` error. Not for
   * sessions and subscriptions, which last as long as their clients want. @default 256 MiB
   */
  readonly maxOutputBytes?: number;
  /**
   * Bytes of all lines from servers that are longer than 256 KiB and not passed on yet. Where there is no room for
   * another one, its server is not read for up to 10 s; then 503. @default a seventh of what the heap of Node may grow to
   */
  readonly maxBufferedBytes?: number;
  /** Milliseconds without a message after which a reply becomes an event stream. @default 2000 */
  readonly streamAfterMs?: number;
  /** Milliseconds between comments on an idle event stream. @default 15000 */
  readonly keepAliveMs?: number;
  /** Milliseconds between SIGTERM and SIGKILL. @default 1000 */
  readonly killGraceMs?: number;
  /**
   * Whether a small program beside this one ends the servers when this one is killed and cannot do it itself. For hosts
   * that live long; not on Windows. @default false; in the Node adapter true
   */
  readonly guard?: boolean;
  /** What is served; HTTP+SSE needs a process that outlives its requests. @default ["mcp"] */
  readonly transports?: readonly Transport[];
  readonly paths?: Paths;
  /** Sessions of streamable HTTP, for clients of the revisions that have them. @default "none" */
  readonly sessions?: SessionMode;
  /** Whether all clients of HTTP+SSE share one process of a server, or each has its own. @default true */
  readonly sharedSession?: boolean;
  /** Milliseconds without a client, or its requests, after which a session and its process end. @default 300000 */
  readonly sessionIdleMs?: number;
  /**
   * Milliseconds for a client of streamable HTTP to come back, when its stream was cut and nothing waits for it; then
   * its session ends. @default 30000; in the Node adapter on a loopback address, where no network is between, 750
   */
  readonly sessionResumeMs?: number;
  /** Where events of streamable HTTP wait for clients that resume a stream. @default in memory, 64 Mi characters */
  readonly eventStore?: EventStore;
  /** Milliseconds between comments on the event streams of HTTP+SSE. @default 30000 */
  readonly heartbeatMs?: number;
  /**
   * Whether initialize, `server/discover` and lists are answered from snapshots, without a process, and the folder that
   * has a server's in `NAME/snapshot.json`, relative to `baseDirectory`. @default true: in `servers`
   */
  readonly snapshot?: boolean | string;
  /**
   * Milliseconds after which a snapshot is recorded anew in the background, by the next request that it answers. Without
   * a snapshot, such a request makes one. For hosts that live long: `createLambdaHandlers` refuses it, as what runs in the
   * background is frozen with the function.
   * @default 0: never
   */
  readonly snapshotTtlMs?: number;
  /** Variables that a request may set by URL parameters of the same name: names, `PREFIX_*`, or `*`. @default none */
  readonly allowEnv?: readonly string[];
  /** Whether the reply to initialize carries a session token. @default true */
  readonly sessionToken?: boolean;
  /** @default none */
  readonly logger?: Logger;
  /** Is told of every client of HTTP+SSE, and of every session of streamable HTTP. What it throws is logged. */
  readonly onConnect?: (session: SessionInfo) => void;
  /** The same when they end. */
  readonly onClose?: (session: SessionInfo) => void;
  /** Sees every message between Mayfly and a server. What it throws is logged and changes nothing. */
  readonly onMessage?: MessageObserver;
  /**
   * Logs every message between Mayfly and a server, at the level `debug`: its first 4000 characters, with configured
   * values, keys and secrets masked. What servers read and answer is in it. @default false
   */
  readonly logMessages?: boolean;
}

/** Called with the server's name, the direction as seen from the server, and the text. */
export type MessageObserver = (server: string, direction: "in" | "out", text: string) => void;
