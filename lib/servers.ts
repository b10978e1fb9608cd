import { resolve as absolute } from "node:path";
import { isDeepStrictEqual } from "node:util";

import type { StdioServerParameters } from "./child.ts";
import { isSameVariable, readSources } from "./credential-sources.ts";
import type { CallerVariable } from "./credential-sources.ts";
import type {
  HandlerOptions,
  InputMode,
  McpConfig,
  ServerConfig,
  SnapshotSetting,
  Transport,
} from "./configuration/options.ts";
import { inheritedEnvironment } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { createEraMemory } from "./exchange/era-memory.ts";
import type { EraMemory } from "./exchange/era-memory.ts";
import type { CachingHints } from "./eras/result-up.ts";
import { MayflyError } from "./errors.ts";
import { shortened } from "./logger.ts";
import { once } from "./promises.ts";
import { sha256 } from "./digest.ts";
import { commandOf, sandboxOf } from "./sandbox/sandbox.ts";
import { createToolMemory } from "./exchange/tool-memory.ts";
import type { ToolMemory } from "./exchange/tool-memory.ts";
import { mask } from "./secrets.ts";
import { keyOf } from "./snapshot/key.ts";
import type { SnapshotKey } from "./snapshot/key.ts";
import { learnFrom, snapshotOf } from "./snapshot/built.ts";
import type { SnapshotMemory } from "./snapshot/memory.ts";
import { createToolFilter } from "./tool-filter.ts";
import type { VisibleTools } from "./tool-filter.ts";

/** A server that can be started. */
export interface Server {
  readonly name: string;
  readonly parameters: StdioServerParameters;
  /** The program, as the operator wrote it. */
  readonly command: string;
  /** Variables whose value the operator has chosen. */
  readonly operatorSets: readonly string[];
  /** Whether each process has a HOME and a folder for temporary files of its own. @default whether `credentials` */
  readonly isPrivate: boolean | undefined;
  /** Whether the request that it is for sets variables. */
  readonly credentials: boolean;
  /** Whether what leaves the process group may stay behind. */
  readonly keepDaemons: boolean;
  /** Alive at once; undefined: as many as the host may have. */
  readonly maxProcesses: number | undefined;
  /** All lines of a process that has one request. */
  readonly maxOutputBytes: number;
  readonly startTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** For an answer to `server/discover`, before a server counts as one that does not know it. */
  readonly probeTimeoutMs: number;
  readonly eras: EraMemory;
  /** Of all tools, also those that no caller sees. */
  readonly tools: ToolMemory;
  /** The tools that callers see and may call. */
  readonly filter: VisibleTools;
  /** For results of servers that know no caching hints. */
  readonly caching: CachingHints;
  readonly inputMode: InputMode;
  readonly rerun: "safe" | "always";
  /** Names the configuration. */
  readonly digest: string;
  /** Variables that a request may set: names, `PREFIX_*`, or `*`. */
  readonly allowEnv: readonly string[];
  /** Variables that come from the request alone: absent there, they are absent in the process. */
  readonly envFrom: readonly CallerVariable[];
  /** What it answers without being asked to do anything; undefined where no record may answer. */
  readonly snapshot: SnapshotMemory | undefined;
  /** What a record of it is made for. Reads files when it is first called. */
  readonly snapshotKey: () => SnapshotKey;
  readonly snapshotSetting: SnapshotSetting;
  /** Values that must not be seen in a log, although the server may print them. */
  readonly secrets: readonly string[];
}

/** What a new configuration did to servers that had been asked for already: others nobody can hold. */
export interface ServersChange {
  readonly removed: readonly Server[];
  readonly changed: readonly { readonly from: Server; readonly to: Server }[];
}

export interface Servers {
  readonly names: readonly string[];
  /** The one that answers on the bare path. */
  readonly chosen: string | undefined;
  /**
   * @param name as in the path; undefined on the bare path
   * @param transport that the path is of, for a hint at its other paths, @default "mcp"
   * @throws SERVER_NOT_FOUND, SERVER_NOT_CHOSEN
   */
  find(name: string | undefined, transport?: Transport): Server;
  /**
   * Takes over a configuration that has been checked. A server whose entry is the same stays the same object, with all
   * that was learned about it; a request that runs keeps the server that it has.
   */
  replace(config: McpConfig): void;
  /** Calls the listener at every change, when the new servers can be found. Returns how to stop that. */
  onChange(listener: (change: ServersChange) => void): () => void;
}

/** Four of the largest messages: an answer that large, and what is said before it. */
const DEFAULT_MAX_OUTPUT_BYTES = 256 * 1024 ** 2;
const DEFAULT_START_TIMEOUT_MS = 30_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
const DEFAULT_PROBE_TIMEOUT_MS = 5000;

/** Looks files up when a server is first asked for: a function pays only for the server that it runs. */
export function createServers(options: HandlerOptions, own: Environment): Servers {
  const listeners = new Set<(change: ServersChange) => void>();
  const entryFor = (name: string, config: ServerConfig): Entry =>
    createEntry(config, () => toServer(name, config, options, own));
  let table = tableOf(options, new Map(), entryFor);
  return {
    get names() {
      return [...table.entries.keys()];
    },
    get chosen() {
      return table.chosen;
    },
    find(name = table.chosen, transport = "mcp") {
      if (name === undefined) throw notChosen(options.paths?.[transport] ?? `/${transport}`);
      const entry = table.entries.get(name);
      if (!entry) throw notFound(name, options);
      return entry.server();
    },
    replace(config) {
      const next = tableOf(config, table.entries, entryFor);
      const change = changeBetween(table.entries, next.entries);
      table = next;
      for (const listener of listeners) listener(change);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A client that escapes the question mark makes its parameters, and so perhaps its key, part of the name. */
function notFound(name: string, { authKeys = [] }: HandlerOptions): MayflyError {
  const server = shortened(mask(name.replace(/\?.*$/s, "?…"), authKeys));
  return new MayflyError("SERVER_NOT_FOUND", { values: { server } });
}

function notChosen(path: string): MayflyError {
  return new MayflyError("SERVER_NOT_CHOSEN", { values: { path: path.replace(/\/$/, "") } });
}

/** A server as it is configured, which is made when it is first asked for. */
interface Entry {
  /** A copy: the operator's own object may be changed and given again. */
  readonly config: unknown;
  readonly server: () => Server;
  readonly isMade: () => boolean;
}

type Entries = ReadonlyMap<string, Entry>;

interface Table {
  readonly entries: Entries;
  readonly chosen: string | undefined;
}

function createEntry(config: ServerConfig, make: () => Server): Entry {
  let isMade = false;
  const server = once(() => {
    const made = make();
    isMade = true;
    return made;
  });
  return { config: copyOf(config), server, isMade: () => isMade };
}

function copyOf(config: ServerConfig): unknown {
  return JSON.parse(JSON.stringify(config));
}

function tableOf(
  config: McpConfig,
  before: Entries,
  entryFor: (name: string, config: ServerConfig) => Entry,
): Table {
  const entries = Object.entries(config.mcpServers).map(([name, server]) => {
    const known = before.get(name);
    return [
      name,
      known && isDeepStrictEqual(known.config, copyOf(server)) ? known : entryFor(name, server),
    ] as const;
  });
  return {
    entries: new Map(entries),
    chosen: bareServer(config),
  };
}

/** The server that answers without a name: the default, or the only one. */
export function bareServer({ mcpServers, default: chosen }: McpConfig): string | undefined {
  const [only, ...others] = Object.keys(mcpServers);
  return chosen ?? (others.length === 0 ? only : undefined);
}

function changeBetween(before: Entries, after: Entries): ServersChange {
  const made = [...before].filter(([name, entry]) => entry.isMade() && after.get(name) !== entry);
  const pairs = made.map(([name, entry]) => ({ from: entry.server(), to: after.get(name)?.server() }));
  return {
    removed: pairs.filter(({ to }) => to === undefined).map(({ from }) => from),
    changed: pairs.flatMap(({ from, to }) => (to ? [{ from, to }] : [])),
  };
}

function toServer(name: string, config: ServerConfig, options: HandlerOptions, own: Environment): Server {
  const base = absolute(options.baseDirectory ?? process.cwd());
  const envFrom = readSources(config.envFrom);
  const inherited = without(envFrom, inheritedEnvironment(own, options.passEnv ?? []));
  const passed = inheritedEnvironment(own, []);
  const sandbox = sandboxOf(name, config, options, own);
  const given = Object.keys(inherited).filter((key) => !(key in passed));
  const environment = [...Object.keys(config.env ?? {}), ...given];
  const snapshotKey = once(() => keyOf({ name, config, base, environment }));
  const server: Server = {
    name,
    parameters: {
      ...commandOf(name, config, base),
      env: { ...inherited, ...config.env },
      cwd: absolute(base, config.cwd ?? "."),
      ...(sandbox && { sandbox }),
    },
    command: config.command,
    operatorSets: Object.keys(config.env ?? {}),
    isPrivate: config.private,
    credentials: false,
    keepDaemons: config.keepDaemons ?? false,
    maxProcesses: config.maxProcesses,
    maxOutputBytes: config.maxOutputBytes ?? options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES,
    ...timesOf(config, options),
    eras: createEraMemory(config.era),
    tools: createToolMemory(),
    filter: createToolFilter(config.tools, (pattern) =>
      options.logger?.warn({ server: name, pattern }, "A pattern for tools fits none of them"),
    ),
    caching: { ttlMs: config.cacheTtlMs ?? 0, cacheScope: config.cacheScope ?? "private" },
    inputMode: config.inputMode ?? options.inputMode ?? "refuse",
    rerun: config.rerun ?? "safe",
    allowEnv: config.allowEnv ?? options.allowEnv ?? [],
    envFrom,
    digest: sha256(JSON.stringify([name, config.command, config.args, config.env, config.cwd])),
    secrets: [
      ...Object.values(config.env ?? {}),
      ...given.map((key) => inherited[key] ?? ""),
      ...(options.authKeys ?? []),
      ...(options.stateSecrets ?? []),
    ],
    snapshot: snapshotOf({ name, config, base }, options, snapshotKey),
    snapshotKey,
    snapshotSetting: config.snapshot ?? "auto",
  };
  learnFrom(server);
  return server;
}

/** A caller who brings no credential must not run with the operator's. */
function without(
  callers: readonly CallerVariable[],
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const isCallers = (name: string): boolean => callers.some(({ variable }) => isSameVariable(variable, name));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isCallers(name)));
}

/**
 * The same server with more variables, for one request. What is known of its era stays shared: that is learned from
 * the program. Its tools are not: they may depend on the caller's credentials.
 */
export function withEnvironment(server: Server, values: Readonly<Record<string, string>>): Server {
  const entries = Object.entries(values);
  if (entries.length === 0) return server;
  const { parameters, digest, secrets } = server;
  const inOrder = entries.toSorted(([one], [other]) => (one < other ? -1 : 1));
  return {
    ...server,
    parameters: { ...parameters, env: { ...parameters.env, ...values } },
    credentials: true,
    tools: createToolMemory(),
    digest: sha256(JSON.stringify([digest, inOrder])),
    secrets: [...secrets, ...Object.values(values).flatMap(asPrinted)],
  };
}

/** A value as it is, and as it stands in the URLs that programs print: in their paths, and in their parameters. */
function asPrinted(value: string): string[] {
  const asParameter = new URLSearchParams({ "": value }).toString().slice(1);
  return [...new Set([value, encodeURIComponent(value), asParameter])];
}

function timesOf(
  config: ServerConfig,
  options: HandlerOptions,
): Pick<Server, "startTimeoutMs" | "requestTimeoutMs" | "probeTimeoutMs"> {
  const startTimeoutMs = config.startTimeoutMs ?? options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS;
  const requestTimeoutMs = config.requestTimeoutMs ?? options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
  const probeTimeoutMs = options.probeTimeoutMs ?? DEFAULT_PROBE_TIMEOUT_MS;
  // A silent server must be left some of its time to start for the handshake.
  return { startTimeoutMs, requestTimeoutMs, probeTimeoutMs: Math.min(probeTimeoutMs, startTimeoutMs / 2) };
}
