import type { ConversationOptions } from "../../exchange/conversation.ts";
import { createEraMemory } from "../../exchange/era-memory.ts";
import { createToolMemory } from "../../exchange/tool-memory.ts";
import { MayflyError } from "../../errors.ts";
import type { Client, Input, Order } from "../../exchange/order.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import type { Logger } from "../../logger.ts";
import type { Places } from "../../places.ts";
import { MAX_TIMER_MS } from "../../promises.ts";
import type { Era } from "../../revisions.ts";
import type { Server } from "../../servers.ts";
import { createToolFilter } from "../../tool-filter.ts";

/**
 * A remote, as an exchange knows servers: of a known era, with all of its tools, and without limits of time. Nothing is
 * ever started.
 */
export function remoteServer(era: Era): Server {
  return {
    ...NOT_STARTED,
    name: "remote",
    eras: createEraMemory(era),
    tools: createToolMemory(),
    filter: createToolFilter(),
    // What an older server says may be different the next time, and for the next user.
    caching: { ttlMs: 0, cacheScope: "private" },
    inputMode: "hold",
    rerun: "safe",
    digest: "remote",
    secrets: [],
  };
}

/** What only concerns programs. */
const NOT_STARTED = {
  parameters: { command: "", args: [], env: {}, cwd: "" },
  command: "",
  operatorSets: [],
  isPrivate: false,
  credentials: false,
  keepDaemons: false,
  maxProcesses: undefined,
  maxOutputBytes: Number.POSITIVE_INFINITY,
  startTimeoutMs: MAX_TIMER_MS,
  requestTimeoutMs: MAX_TIMER_MS,
  probeTimeoutMs: MAX_TIMER_MS,
  allowEnv: [],
  envFrom: [],
  snapshot: undefined,
  snapshotKey: () => {
    throw new MayflyError("INTERNAL");
  },
  snapshotSetting: "never",
} as const satisfies Partial<Server>;

/** One request to a remote. There are no HTTP headers behind stdio. */
export function orderFor(
  request: Message<RequestValue>,
  server: Server,
  client: Client,
  input: Input,
): Order {
  return {
    server,
    client,
    requests: [request],
    input,
    advertised: { changes: true },
    headers: new Headers(),
    paramHeaders: "off",
  };
}

/** Nothing lingers here but for the one client that there is. */
export const UNLIMITED: Places = { take: () => () => undefined };

/** Messages are watched where they meet stdio. */
export function watchedElsewhere(logger: Logger): ConversationOptions {
  return { logger, onMessage: () => undefined };
}
