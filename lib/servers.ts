import { join, resolve as absolute } from "node:path";

import type { StdioServerParameters } from "./child.ts";
import type { HandlerOptions, InputMode, ServerConfig } from "./configuration/options.ts";
import { inheritedEnvironment } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { createEraMemory } from "./exchange/era-memory.ts";
import type { EraMemory } from "./exchange/era-memory.ts";
import type { CachingHints } from "./eras/result-up.ts";
import { MayflyError } from "./errors.ts";
import { once } from "./promises.ts";
import { sha256 } from "./digest.ts";
import { resolveCommand } from "./resolve.ts";
import { createToolMemory } from "./exchange/tool-memory.ts";
import type { ToolMemory } from "./exchange/tool-memory.ts";

/** A server that can be started. */
export interface Server {
  readonly name: string;
  readonly parameters: StdioServerParameters;
  readonly startTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** For an answer to `server/discover`, before a server counts as one that does not know it. */
  readonly probeTimeoutMs: number;
  readonly eras: EraMemory;
  readonly tools: ToolMemory;
  /** For results of servers that know no caching hints. */
  readonly caching: CachingHints;
  readonly inputMode: InputMode;
  readonly rerun: "safe" | "always";
  /** Names the configuration. */
  readonly digest: string;
  /** Values that must not be seen in a log, although the server may print them. */
  readonly secrets: readonly string[];
}

export interface Servers {
  readonly names: readonly string[];
  /** The one that answers on the bare path. */
  readonly chosen: string | undefined;
  /**
   * @param name as in the path; undefined on the bare path
   * @throws SERVER_NOT_FOUND, SERVER_NOT_CHOSEN
   */
  find(name: string | undefined): Server;
}

const DEFAULT_START_TIMEOUT_MS = 30_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
const DEFAULT_PROBE_TIMEOUT_MS = 5000;

/** Looks files up when a server is first asked for: a function pays only for the server that it runs. */
export function createServers(options: HandlerOptions, own: Environment): Servers {
  const entries = Object.entries(options.mcpServers);
  const servers = new Map(
    entries.map(([name, config]) => [name, once(() => toServer(name, config, options, own))]),
  );
  const chosen = options.default ?? (entries.length === 1 ? entries[0]?.[0] : undefined);
  return {
    names: [...servers.keys()],
    chosen,
    find(name = chosen) {
      if (name === undefined) throw new MayflyError("SERVER_NOT_CHOSEN");
      const server = servers.get(name);
      if (!server) throw new MayflyError("SERVER_NOT_FOUND", { values: { server: name } });
      return server();
    },
  };
}

function toServer(name: string, config: ServerConfig, options: HandlerOptions, own: Environment): Server {
  const base = absolute(options.baseDirectory ?? process.cwd());
  const inherited = inheritedEnvironment(own, options.passEnv ?? []);
  const passed = inheritedEnvironment(own, []);
  return {
    name,
    parameters: {
      ...resolveCommand({ command: config.command, args: config.args ?? [] }, join(base, "servers", name)),
      env: { ...inherited, ...config.env },
      cwd: absolute(base, config.cwd ?? "."),
    },
    ...timesOf(config, options),
    eras: createEraMemory(config.era),
    tools: createToolMemory(),
    caching: { ttlMs: config.cacheTtlMs ?? 0, cacheScope: config.cacheScope ?? "private" },
    inputMode: config.inputMode ?? options.inputMode ?? "refuse",
    rerun: config.rerun ?? "safe",
    digest: sha256(JSON.stringify([name, config.command, config.args, config.env, config.cwd])),
    secrets: [
      ...Object.values(config.env ?? {}),
      ...Object.keys(inherited).flatMap((key) => (key in passed ? [] : [inherited[key] ?? ""])),
      ...(options.authKeys ?? []),
      ...(options.stateSecrets ?? []),
    ],
  };
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
