import { randomUUID } from "node:crypto";

import { MayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import type { IncomingRequest, RequestContext } from "../incoming.ts";
import { givingWay } from "../places.ts";
import type { Server } from "../servers.ts";
import { tooManySessions } from "./admission.ts";
import { announce } from "./announcing.ts";
import { refuseChange, serverFor } from "./environment.ts";
import type { Variables } from "./environment.ts";
import type { SessionRegistry } from "./session-registry.ts";
import { createStreamableClient } from "./streamable-client.ts";
import type { StreamableClient } from "./streamable-client.ts";

/** A request to the path of a server. */
export interface StreamableRequest {
  readonly request: IncomingRequest;
  readonly context: RequestContext;
  readonly url: URL;
  /** The server's name, as in the path. */
  readonly name: string | undefined;
  readonly principal: string;
}

/** The sessions of streamable HTTP, by the id that their clients know. */
export interface SessionTable {
  /**
   * The session that a request names. Its server may have another configuration by now, or none.
   * @returns undefined without an id, or with one that is not ours: gateways invent others
   * @throws SESSION_NOT_FOUND, ENVIRONMENT_FIXED
   */
  find(request: StreamableRequest): StreamableClient | undefined;
  /** @throws TOO_MANY_SESSIONS, NO_SHARE_LEFT, and what is wrong with the server's name and the variables of the request */
  open(request: StreamableRequest): { readonly id: string; readonly client: StreamableClient };
}

interface Entry {
  readonly client: StreamableClient;
  readonly principal: string;
  readonly mayGiveWayFrom: StreamableClient["mayGiveWayFrom"];
  /** As in the path that it was opened by. */
  readonly name: string | undefined;
  /** As it was then. */
  readonly server: Server;
  readonly variables: Variables;
}

const PREFIX = "mayfly-";
/** Sessions at once. An idle one costs a few kilobytes. */
const MAX_SESSIONS = 10_000;

/** @param maxSessions at once; where there are several callers, half of them are the most that one gets */
export function createSessionTable(
  registry: SessionRegistry,
  host: Host,
  maxSessions = MAX_SESSIONS,
): SessionTable {
  const entries = new Map<string, Entry>();
  const share = host.isShared ? Math.ceil(maxSessions / 2) : Number.POSITIVE_INFINITY;
  return {
    find(request) {
      const id = request.request.headers.get("mcp-session-id");
      if (!id?.startsWith(PREFIX)) return undefined;
      const entry = entries.get(id);
      // Another's session is as good as none.
      if (!entry || !isOwn(entry, request)) throw new MayflyError("SESSION_NOT_FOUND");
      refuseChange(request, entry, host.rules);
      return entry.client;
    },
    open(request) {
      const { name, principal } = request;
      const isShared = host.sessions === "shared";
      const { server, variables } = serverFor(request, host.servers.find(name), isShared, host.rules);
      const own = entries.size < share ? [] : ownOf(entries, principal);
      if (own.length >= share && !makeRoom(own, principal)) throw noShareLeft(share);
      if (entries.size >= maxSessions && !makeRoom(entries.values(), principal))
        throw tooManySessions(maxSessions);
      const id = PREFIX + randomUUID();
      const client = clientFor(id, server, principal, () => entries.delete(id), registry, host);
      const { mayGiveWayFrom } = client;
      entries.set(id, { client, principal, mayGiveWayFrom, name, server, variables });
      return { id, client };
    },
  };
}

function ownOf(entries: ReadonlyMap<string, Entry>, principal: string): Entry[] {
  return [...entries.values()].filter((entry) => entry.principal === principal);
}

function noShareLeft(limit: number): MayflyError {
  return new MayflyError("NO_SHARE_LEFT", { values: { limit } });
}

/** @returns whether one has given way */
function makeRoom(entries: Iterable<Entry>, principal: string): boolean {
  const [first] = givingWay(entries, principal);
  first?.client.close();
  return first !== undefined;
}

function isOwn(entry: Entry, { principal, name }: StreamableRequest): boolean {
  return entry.principal === principal && (entry.name === name || entry.server.name === name);
}

function clientFor(
  id: string,
  server: Server,
  principal: string,
  forget: () => void,
  registry: SessionRegistry,
  host: Host,
): StreamableClient {
  const { eventStore: store, logger, sessionIdleMs: idleMs, sessionResumeMs: resumeMs, drain } = host;
  const farewell = announce({ server: server.name, transport: "mcp", principal }, host);
  return createStreamableClient({
    id,
    join: (client) =>
      host.sessions === "shared"
        ? registry.share(server, client, principal)
        : registry.open(server, client, principal),
    store,
    idleMs,
    resumeMs,
    drain: drain.signal,
    onClose: () => {
      forget();
      farewell();
    },
    logger,
  });
}
