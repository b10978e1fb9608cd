import * as z from "zod/mini";

import type { EventStore } from "../event-store.ts";
import type { Logger } from "../logger.ts";
import {
  callback,
  choice,
  count,
  countOrNone,
  milliseconds,
  positiveMs,
  text,
  texts,
  truth,
  withFunctions,
} from "./members.ts";
import { INPUT_MODES, PARAM_HEADERS, SESSION_MODES, TRANSPORTS } from "./options.ts";
import type { CorsOptions, HandlerOptions, McpConfig, Paths } from "./options.ts";
import { OF_CONNECTIONS, ONLY_OF_A_SERVER, SERVERS, settables } from "./server-shape.ts";
import { shape } from "./shape.ts";
import type { Members, OtherKeys } from "./shape.ts";

const PATHS = shape({ mcp: text, sse: text, messages: text } satisfies Members<Paths>);

const origins = z.union(
  [z.array(z.string()), z.custom<(origin: string) => boolean>((value) => typeof value === "function")],
  "expected a list of origins, or a function",
);

const CORS = shape({
  origins,
  methods: texts,
  allowedHeaders: texts,
  exposedHeaders: texts,
  credentials: truth,
  // Its range stands where it is used, as every rule of CORS does.
  maxAgeSeconds: z.optional(z.number()),
} satisfies Members<CorsOptions>);

const CONFIG = { mcpServers: SERVERS, default: text };

const OPTIONS = {
  authKeys: texts,
  allowAnonymous: truth,
  authenticate: callback<NonNullable<HandlerOptions["authenticate"]>>(),
  corsOrigins: texts,
  cors: z.optional(CORS),
  allowedHosts: texts,
  passEnv: texts,
  baseDirectory: text,
  startTimeoutMs: positiveMs,
  requestTimeoutMs: positiveMs,
  probeTimeoutMs: positiveMs,
  inputMode: z.optional(choice(INPUT_MODES)),
  stateSecrets: texts,
  listen: z.optional(choice(["acknowledge", "serve"])),
  paramHeaders: z.optional(choice(PARAM_HEADERS)),
  lenientVersionHeader: truth,
  maxProcesses: count,
  maxQueued: countOrNone,
  queueTimeoutMs: positiveMs,
  maxBodyBytes: count,
  bodyTimeoutMs: positiveMs,
  maxMessageBytes: count,
  maxOutputBytes: count,
  maxBufferedBytes: count,
  streamAfterMs: milliseconds,
  keepAliveMs: positiveMs,
  killGraceMs: milliseconds,
  guard: truth,
  transports: z.optional(z.array(choice(TRANSPORTS))),
  paths: z.optional(PATHS),
  sessions: z.optional(choice(SESSION_MODES)),
  sharedSession: truth,
  sessionIdleMs: positiveMs,
  sessionResumeMs: milliseconds,
  eventStore: withFunctions<EventStore>("store", "replay", "forget"),
  heartbeatMs: positiveMs,
  snapshot: z.optional(z.union([z.boolean(), z.string()], "expected true, false or a folder")),
  snapshotTtlMs: milliseconds,
  allowEnv: settables,
  sessionToken: truth,
  logger: withFunctions<Logger>("debug", "info", "warn", "error"),
  onConnect: callback<NonNullable<HandlerOptions["onConnect"]>>(),
  onClose: callback<NonNullable<HandlerOptions["onClose"]>>(),
  onMessage: callback<NonNullable<HandlerOptions["onMessage"]>>(),
  logMessages: truth,
} satisfies Members<Omit<HandlerOptions, keyof McpConfig>>;

/** What `createHandler` takes, but for what stands in the servers. */
export const HANDLER_MEMBERS = { ...CONFIG, ...OPTIONS };

/** What was meant for a server has no effect beside them. */
export const MISPLACED: OtherKeys = {
  refused: {
    ...Object.fromEntries(ONLY_OF_A_SERVER.map((name) => [name, "belongs to a server, below mcpServers"])),
    allowTools: 'is "tools" of a server: { allow: [...] }',
    denyTools: 'is "tools" of a server: { deny: [...] }',
  },
};

const OF_SERVE = Object.fromEntries(
  ["port", "host", "tls", ...OF_CONNECTIONS].map((name) => [
    name,
    "is an option of serve, from mcp-mayfly/node",
  ]),
);

export const HANDLER = shape(HANDLER_MEMBERS, { refused: { ...MISPLACED.refused, ...OF_SERVE } });
