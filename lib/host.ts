import { setMaxListeners } from "node:events";

import type { AccessRules } from "./auth.ts";
import { BODY_TIMEOUT_MS } from "./body.ts";
import type { BodyLimits } from "./body.ts";
import { createBodyMemory, defaultBodyMemory } from "./body-memory.ts";
import type { BodyMemory } from "./body-memory.ts";
import { createCancellations } from "./cancellations.ts";
import type { Cancellations } from "./cancellations.ts";
import { defaultMaxProcesses } from "./capacity.ts";
import type { ChildLimits } from "./child.ts";
import { checkOptions } from "./configuration/check-options.ts";
import type { HandlerOptions, ParamHeaders, Paths, SessionMode, Transport } from "./configuration/options.ts";
import { createCors } from "./cors.ts";
import type { Cors } from "./cors.ts";
import { createAllowedHosts } from "./hosts.ts";
import { createHeldProcesses } from "./input/held-processes.ts";
import type { HeldProcesses } from "./input/held-processes.ts";
import { createLineMemory, defaultMaxBufferedBytes } from "./line-memory.ts";
import { silentLogger } from "./logger.ts";
import type { Logger } from "./logger.ts";
import { createProcesses } from "./processes.ts";
import type { Processes } from "./processes.ts";
import { createRelays } from "./input/relays.ts";
import type { Relays } from "./input/relays.ts";
import { createEventStore } from "./event-store.ts";
import type { EventStore } from "./event-store.ts";
import { createSeal } from "./input/seal.ts";
import type { Seal } from "./input/seal.ts";
import { completePaths } from "./paths.ts";
import { createPlaces } from "./places.ts";
import type { Places } from "./places.ts";
import { createRouter } from "./routes.ts";
import type { Router } from "./routes.ts";
import { createServers } from "./servers.ts";
import type { Servers } from "./servers.ts";
import type { Exchange } from "./exchange/turns.ts";
import { createRefreshing } from "./snapshot/refreshing.ts";
import type { Refreshing } from "./snapshot/refreshing.ts";
import { createWatch } from "./watching.ts";
import type { Watch } from "./watching.ts";

/** What all requests share: the parsed options, and the processes that are alive. */
export interface Host {
  readonly rules: AccessRules;
  /** Whether there are several callers: none of them gets all places then. */
  readonly isShared: boolean;
  readonly cors: Cors;
  readonly servers: Servers;
  readonly processes: Processes;
  /** Keeps snapshots new. */
  readonly refreshing: Refreshing;
  readonly cancellations: Cancellations;
  readonly limits: ChildLimits & BodyLimits;
  readonly bodyMemory: BodyMemory;
  readonly form: { readonly streamAfterMs: number; readonly keepAliveMs: number };
  readonly sessionToken: boolean;
  readonly listen: "acknowledge" | "serve";
  /** For subscriptions and open questions, which stay as long as their clients want. */
  readonly places: Places;
  readonly paramHeaders: ParamHeaders;
  readonly lenientVersionHeader: boolean;
  readonly transports: readonly Transport[];
  readonly paths: Required<Paths>;
  readonly routeOf: Router;
  /** Of streamable HTTP. */
  readonly sessions: SessionMode;
  /** Of HTTP+SSE. */
  readonly sharedSession: boolean;
  readonly sessionIdleMs: number;
  readonly sessionResumeMs: number;
  readonly heartbeatMs: number;
  readonly eventStore: EventStore;
  readonly onConnect: HandlerOptions["onConnect"];
  readonly onClose: HandlerOptions["onClose"];
  readonly seal: Seal;
  /** Processes that wait for the next POST of their clients. */
  readonly held: HeldProcesses<Exchange>;
  /** Questions that wait for the answers of legacy clients. */
  readonly relays: Relays;
  readonly logger: Logger;
  readonly watch: Watch;
  readonly shutdown: AbortController;
  /** Comes before the shutdown: ends what would otherwise wait for its client, and nothing else. */
  readonly drain: AbortController;
}

const MIB = 1024 ** 2;

/** @throws ConfigurationError */
export function createHost(given: HandlerOptions): Host {
  const options = checkOptions(given);
  const { logger = silentLogger, maxProcesses = defaultMaxProcesses() } = options;
  const { maxQueued, queueTimeoutMs, maxBufferedBytes = defaultMaxBufferedBytes() } = options;
  const { killGraceMs = 1000, maxBodyBytes = 4 * MIB, bodyTimeoutMs = BODY_TIMEOUT_MS } = options;
  const { streamAfterMs = 2000, keepAliveMs = 15_000, sessionToken = true } = options;
  const { authKeys = [], allowAnonymous = false, authenticate, allowedHosts } = options;
  const {
    guard = false,
    listen = "acknowledge",
    paramHeaders = "auto",
    lenientVersionHeader = false,
  } = options;
  const { transports = ["mcp"], sessions = "none", sharedSession = true } = options;
  const { sessionIdleMs = 300_000, sessionResumeMs = 30_000, heartbeatMs = 30_000 } = options;
  const { snapshotTtlMs = 0 } = options;
  const paths = completePaths(options.paths);
  // A longer one would never find room.
  const maxMessageBytes = Math.min(options.maxMessageBytes ?? 64 * MIB, maxBufferedBytes);
  // Beyond ASCII, a text takes two bytes for each character.
  const lineMemory = createLineMemory(maxBufferedBytes, Math.min(2 * maxMessageBytes, maxBufferedBytes));
  const limits = { maxMessageBytes, lineMemory, killGraceMs, maxBodyBytes, bodyTimeoutMs };
  const drain = sharedController();
  const isShared = authenticate !== undefined || authKeys.length > 1;
  const places = createPlaces(maxProcesses, isShared);
  const held = createHeldProcesses<Exchange>(places);
  drain.signal.addEventListener("abort", () => held.endAll());
  const room = { maxProcesses, maxQueued, queueTimeoutMs, isShared };
  const processes = createProcesses({ ...limits, ...room, guard, logger });
  const watch = createWatch(options, logger);
  return {
    rules: {
      authKeys,
      allowAnonymous,
      authenticate,
      allowedHosts: allowedHosts && createAllowedHosts(allowedHosts),
    },
    isShared,
    cors: createCors(options, logger),
    servers: createServers({ ...options, paths }, process.env),
    cancellations: createCancellations(),
    processes,
    refreshing: createRefreshing({ ttlMs: snapshotTtlMs, processes, watch, logger, signal: drain.signal }),
    limits,
    bodyMemory: createBodyMemory(defaultBodyMemory(maxBodyBytes), isShared),
    form: { streamAfterMs, keepAliveMs },
    sessionToken,
    listen,
    places,
    paramHeaders,
    lenientVersionHeader,
    transports,
    paths,
    routeOf: createRouter(transports, paths),
    sessions,
    sharedSession,
    sessionIdleMs,
    sessionResumeMs,
    heartbeatMs,
    onConnect: options.onConnect,
    onClose: options.onClose,
    eventStore: options.eventStore ?? createEventStore(),
    seal: createSeal(options.stateSecrets ?? []),
    held,
    relays: createRelays(),
    logger,
    watch,
    shutdown: sharedController(),
    drain,
  };
}

/** Every request that runs listens to it: Node would take more than ten of them for a leak, and warn. */
function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
