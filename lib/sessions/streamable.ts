import { randomUUID } from "node:crypto";

import { mayStream } from "../body.ts";
import { hasVersion } from "../eras/envelope.ts";
import { MayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import type { IncomingRequest, RequestContext } from "../incoming.ts";
import { isRequest } from "../jsonrpc.ts";
import type { Message } from "../jsonrpc.ts";
import { ClientGone, onAbort } from "../lifetime.ts";
import { messagesIn } from "../request/classify.ts";
import { versionOf } from "../request/headers.ts";
import { flawOfBatch } from "../request/legacy.ts";
import { memberText } from "../rawjson.ts";
import { accepted, respond } from "../response.ts";
import type { ResponseForm } from "../response.ts";
import { isLegacyVersion, isModernVersion } from "../revisions.ts";
import type { Reply } from "../exchange/order.ts";
import type { Server } from "../servers.ts";
import { announce } from "./announcing.ts";
import { refuseChange, serverFor } from "./environment.ts";
import type { Variables } from "./environment.ts";
import { refuseRequests, tooManySessions } from "./rooms.ts";
import type { Rooms } from "./rooms.ts";
import { createStreamableClient } from "./streamable-client.ts";
import type { Collected, StreamableClient, StreamConnection } from "./streamable-client.ts";
import { collectAlone } from "./visitor.ts";

/** Streamable HTTP with sessions. Source: 2025-03-26 to 2025-11-25/basic/transports, Session Management. */
export interface Streamable {
  /**
   * @returns undefined for a POST that is none of a session: it is answered by a process of its own
   * @throws SESSION_NOT_FOUND, SESSION_MISSING, and what is wrong with the request
   */
  post(visit: Visit, text: string, stream: boolean): Promise<Response | undefined>;
  /** The stream of a client's own, or one that it resumes. */
  get(visit: Visit): Promise<Response>;
  /** Ends a session. */
  end(visit: Visit): Response;
}

/** A request to the path of a server. */
export interface Visit {
  readonly request: IncomingRequest;
  readonly context: RequestContext;
  readonly url: URL;
  readonly server: Server;
  readonly principal: string;
}

type Replies = AsyncGenerator<Reply, void, void>;

interface Entry {
  readonly client: StreamableClient;
  readonly principal: string;
  readonly server: string;
  readonly variables: Variables;
}

/** Marks a session id as ours; gateways invent others, which are left alone. */
const PREFIX = "mayfly-";
/** Sessions at once. */
const MAX_SESSIONS = 10_000;
/** The first revision whose clients know events without a message (2025-11-25/changelog, SEP-1699). */
const FIRST_PRIMED = "2025-11-25";

export function createStreamable(rooms: Rooms, host: Host): Streamable {
  const sessions: Sessions = new Map();
  return {
    async post(visit, text, stream) {
      const body = messagesIn(text);
      const version = versionOf(visit.request.headers);
      if (isModern(body.messages, version)) return undefined;
      refuseForeign(body, version);
      refuseRequests(body.messages, host);
      const [message] = body.messages;
      const isOpening = message && isRequest(message) && message.value.method === "initialize";
      if (isOpening) return open(message, visit, stream, { sessions, rooms, host });
      const entry = find(visit, sessions);
      if (entry) return postTo(entry.client, body, visit, stream, host);
      return host.sessions === "shared" ? postAlone(body, visit, stream, rooms, host) : undefined;
    },
    async get(visit) {
      if (!mayStream(visit.request.headers.get("accept"))) throw new MayflyError("NOT_ACCEPTABLE");
      const { client } = need(visit, sessions);
      const lastEventId = visit.request.headers.get("last-event-id") ?? undefined;
      const response = await client.listen(connectionOf(visit, host), lastEventId);
      if (!response) throw new MayflyError("EVENTS_EXPIRED");
      return response;
    },
    end(visit) {
      need(visit, sessions).client.close();
      return new Response(null, { status: 204 });
    },
  };
}

type Sessions = Map<string, Entry>;

interface Body {
  readonly messages: readonly Message[];
  readonly batch: boolean;
}

/** Clients without a handshake have no sessions, and say so with every request. */
function isModern(messages: readonly Message[], version: string | undefined): boolean {
  return (
    messages.some(({ value }) => hasVersion(value)) || (version !== undefined && isModernVersion(version))
  );
}

function refuseForeign({ messages, batch }: Body, version: string | undefined): void {
  if (version !== undefined && !isLegacyVersion(version)) throw new MayflyError("VERSION_NOT_KNOWN");
  const flaw = batch ? flawOfBatch(messages, version) : undefined;
  if (flaw !== undefined) throw new MayflyError("BATCH_NOT_ALLOWED", { values: { detail: flaw } });
}

/**
 * @throws SESSION_NOT_FOUND for an id of ours that is not the caller's: another's session is as good as none
 * @throws ENVIRONMENT_FIXED
 */
function find({ request, url, server, principal }: Visit, sessions: Sessions): Entry | undefined {
  const id = request.headers.get("mcp-session-id");
  if (!id?.startsWith(PREFIX)) return undefined;
  const entry = sessions.get(id);
  const isOwn = entry?.principal === principal && entry.server === server.name;
  if (!isOwn) throw new MayflyError("SESSION_NOT_FOUND");
  refuseChange(url, server, entry.variables);
  return entry;
}

function need(visit: Visit, sessions: Sessions): Entry {
  const entry = find(visit, sessions);
  if (!entry) throw new MayflyError("SESSION_MISSING");
  return entry;
}

interface Place {
  readonly sessions: Sessions;
  readonly rooms: Rooms;
  readonly host: Host;
}

/** A session begins with the answer to its handshake, and not at all with a refusal. */
async function open(message: Message, visit: Visit, stream: boolean, place: Place): Promise<Response> {
  const { sessions, host } = place;
  if (sessions.size >= MAX_SESSIONS) throw tooManySessions(MAX_SESSIONS);
  const id = PREFIX + randomUUID();
  const { server, variables } = serverFor(visit.url, visit.server, host.sessions === "shared");
  const client = clientFor(id, { ...visit, server }, place);
  sessions.set(id, { client, principal: visit.principal, server: server.name, variables });
  const { replies, cancel } = client.collect([message], stream);
  const collected = { replies: untilRefused(replies, client), cancel: () => (cancel(), client.close()) };
  const response = await respondTo(collected, { batch: false, stream, sessionToken: id }, visit, host);
  if (client.isOver()) response.headers.delete("Mcp-Session-Id");
  return response;
}

function clientFor(
  id: string,
  { server, principal }: Visit,
  { sessions, rooms, host }: Place,
): StreamableClient {
  const { eventStore: store, logger, sessionIdleMs: idleMs, sessionResumeMs: resumeMs } = host;
  const farewell = announce({ server: server.name, transport: "mcp", principal }, host);
  return createStreamableClient({
    id,
    principal,
    join: (client) => (host.sessions === "shared" ? rooms.share(server, client) : rooms.open(server, client)),
    store,
    idleMs,
    resumeMs,
    drain: host.drain.signal,
    onClose: () => {
      sessions.delete(id);
      farewell();
    },
    logger,
  });
}

async function* untilRefused(replies: Replies, client: StreamableClient): Replies {
  for await (const reply of replies) {
    if (reply.kind === "response" && memberText(reply.text, "error") !== undefined) client.close();
    yield reply;
  }
}

async function postTo(
  client: StreamableClient,
  { messages, batch }: Body,
  visit: Visit,
  stream: boolean,
  host: Host,
): Promise<Response> {
  if (!messages.some(isRequest)) {
    if (!client.take(messages)) throw new MayflyError("RESPONSE_NOT_EXPECTED");
    return accepted();
  }
  const response = stream ? await client.stream(messages, connectionOf(visit, host)) : undefined;
  return response ?? respondTo(client.collect(messages, false), { batch, stream }, visit, host);
}

/** A client that has not opened a session, in front of the process that all share. */
async function postAlone(
  { messages, batch }: Body,
  visit: Visit,
  stream: boolean,
  rooms: Rooms,
  host: Host,
): Promise<Response> {
  const { server } = serverFor(visit.url, visit.server, true);
  const collected = collectAlone(messages, stream, visit.principal, (client) => rooms.share(server, client));
  if (!messages.some(isRequest)) return accepted();
  return respondTo(collected, { batch, stream }, visit, host);
}

/** A client that was cut off should try more than once before its session ends. */
const MAX_RETRY_MS = 1000;
const TRIES = 3;

function connectionOf({ request, context }: Visit, { form, sessionResumeMs }: Host): StreamConnection {
  const version = versionOf(request.headers);
  return {
    keepAliveMs: form.keepAliveMs,
    signals: [request.signal, context.signal],
    retryMs: Math.min(MAX_RETRY_MS, Math.ceil(sessionResumeMs / TRIES)),
    primed: version !== undefined && version >= FIRST_PRIMED,
  };
}

type Form = Pick<ResponseForm, "batch" | "stream"> & { readonly sessionToken?: string };

function respondTo(
  { replies, cancel }: Collected,
  { sessionToken, ...form }: Form,
  { request, context }: Visit,
  host: Host,
): Promise<Response> {
  const gone = new AbortController();
  const lifetime = { signal: gone.signal, end: () => gone.abort(new ClientGone()) };
  for (const signal of [request.signal, context.signal]) onAbort(signal, lifetime.end);
  onAbort(gone.signal, cancel);
  return respond(replies, { ...host.form, ...form, sessionToken, lifetime });
}
