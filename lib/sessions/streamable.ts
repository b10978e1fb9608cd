import { mayStream } from "../body.ts";
import { hasVersion } from "../eras/envelope.ts";
import { MayflyError, withId } from "../errors.ts";
import type { Host } from "../host.ts";
import { idOf, isRequest } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Posted } from "../request/classify.ts";
import { versionOf } from "../request/headers.ts";
import { flawOfBatch, refuseVersion } from "../request/legacy.ts";
import { accepted } from "../response.ts";
import { isModernVersion } from "../revisions.ts";
import { refuseRequests } from "./admission.ts";
import { respondTo, respondToOpening } from "./collected-response.ts";
import { serverFor } from "./environment.ts";
import type { SessionRegistry } from "./session-registry.ts";
import { createSessionTable } from "./session-table.ts";
import type { SessionTable, StreamableRequest } from "./session-table.ts";
import type { StreamableClient, StreamConnection } from "./streamable-client.ts";
import { collectAlone } from "./visitor.ts";

/** Streamable HTTP with sessions. Source: 2025-03-26 to 2025-11-25/basic/transports, Session Management. */
export interface Streamable {
  /**
   * @param stream whether the client reads event streams
   * @returns undefined for a POST that is none of a session: it is answered by a process of its own
   * @throws SESSION_NOT_FOUND, VERSION_NOT_KNOWN, SHUTTING_DOWN, and what is wrong with the request
   */
  post(request: StreamableRequest, posted: Posted, stream: boolean): Promise<Response | undefined>;
  /**
   * The stream of a client's own, or one that it resumes.
   * @throws NOT_ACCEPTABLE, SESSION_MISSING, SESSION_NOT_FOUND, VERSION_NOT_KNOWN, EVENTS_EXPIRED, SHUTTING_DOWN
   */
  get(request: StreamableRequest): Promise<Response>;
  /** Ends a session. @throws SESSION_MISSING, SESSION_NOT_FOUND, VERSION_NOT_KNOWN */
  end(request: StreamableRequest): Response;
}

export function createStreamable(registry: SessionRegistry, host: Host): Streamable {
  const table = createSessionTable(registry, host);
  return {
    async post(request, posted, stream) {
      const { messages, batch } = posted;
      if (isModern(messages, request)) return undefined;
      try {
        return await answer({ ...posted, stream }, request, { table, registry, host });
      } catch (error) {
        const [message] = messages;
        throw message && isRequest(message) && !batch ? withId(error, idOf(message)) : error;
      }
    },
    async get(request) {
      if (!mayStream(request.request.headers.get("accept"))) throw new MayflyError("NOT_ACCEPTABLE");
      const client = need(request, table);
      const lastEventId = request.request.headers.get("last-event-id") ?? undefined;
      // What runs still may be waited for; anything new would hold up the end.
      if (host.drain.signal.aborted && lastEventId === undefined) throw new MayflyError("SHUTTING_DOWN");
      const response = await client.listen(connectionOf(request, host), lastEventId);
      if (!response) throw new MayflyError("EVENTS_EXPIRED");
      return response;
    },
    end(request) {
      need(request, table).close();
      return new Response(null, { status: 204 });
    },
  };
}

interface Body extends Posted {
  readonly stream: boolean;
}

interface Place {
  readonly table: SessionTable;
  readonly registry: SessionRegistry;
  readonly host: Host;
}

/** Clients without a handshake have no sessions, and say so with every request. */
function isModern(messages: readonly Message[], { request }: StreamableRequest): boolean {
  const version = versionOf(request.headers);
  const isSaid = version !== undefined && isModernVersion(version);
  return isSaid || messages.some(({ value }) => hasVersion(value));
}

async function answer(body: Body, request: StreamableRequest, place: Place): Promise<Response | undefined> {
  const version = versionOf(request.request.headers);
  refuseVersion(version);
  const flaw = body.batch ? flawOfBatch(body.messages, version) : undefined;
  if (flaw !== undefined) throw new MayflyError("BATCH_NOT_ALLOWED", { values: { detail: flaw } });
  refuseRequests(body.messages, place.host);
  const [message] = body.messages;
  if (message && isRequest(message) && message.value.method === "initialize") {
    return open(message, body, request, place);
  }
  const client = place.table.find(request);
  if (client) return postTo(client, body, request, place.host);
  return place.host.sessions === "shared" ? postAlone(body, request, place) : undefined;
}

function need(request: StreamableRequest, table: SessionTable): StreamableClient {
  refuseVersion(versionOf(request.request.headers));
  const client = table.find(request);
  if (!client) throw new MayflyError("SESSION_MISSING");
  return client;
}

function open(
  message: Message<RequestValue>,
  { stream }: Body,
  request: StreamableRequest,
  { table, host }: Place,
): Promise<Response> {
  const { id, client } = table.open(request);
  const form = { batch: false, stream, sessionToken: id };
  return respondToOpening(client.collect([message], stream), form, client, request, host);
}

async function postTo(
  client: StreamableClient,
  { messages, batch, stream }: Body,
  request: StreamableRequest,
  host: Host,
): Promise<Response> {
  if (!messages.some(isRequest)) {
    if (!client.take(messages)) throw new MayflyError("RESPONSE_NOT_EXPECTED");
    return accepted();
  }
  const response = stream ? await client.stream(messages, connectionOf(request, host)) : undefined;
  return response ?? respondTo(client.collect(messages, false), { batch, stream }, request, host);
}

/** A client that has not opened a session, in front of the process that all share. */
async function postAlone(
  { messages, batch, stream }: Body,
  request: StreamableRequest,
  { registry, host }: Place,
): Promise<Response> {
  const { server } = serverFor(request, host.servers.find(request.name), true, host.rules);
  const collected = collectAlone(messages, stream, (client) =>
    registry.share(server, client, request.principal),
  );
  if (!messages.some(isRequest)) return accepted();
  return respondTo(collected, { batch, stream }, request, host);
}

/** A client that was cut off should try more than once before its session ends. */
const MAX_RETRY_MS = 1000;
const TRIES = 3;
/** The first revision whose clients know events without a message (2025-11-25/changelog, SEP-1699). */
const FIRST_PRIMED = "2025-11-25";

function connectionOf({ request, context }: StreamableRequest, host: Host): StreamConnection {
  const version = versionOf(request.headers);
  return {
    keepAliveMs: host.form.keepAliveMs,
    clients: [request, context],
    retryMs: Math.min(MAX_RETRY_MS, Math.ceil(host.sessionResumeMs / TRIES)),
    primed: version !== undefined && version >= FIRST_PRIMED,
  };
}
