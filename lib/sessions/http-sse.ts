import { randomUUID } from "node:crypto";

import { mayStream, readText } from "../body.ts";
import { hasVersion, versionIn } from "../eras/envelope.ts";
import { MayflyError } from "../errors.ts";
import { frame } from "../frames.ts";
import type { Host } from "../host.ts";
import type { IncomingRequest, RequestContext } from "../incoming.ts";
import { idOf, isRequest } from "../jsonrpc.ts";
import type { Message } from "../jsonrpc.ts";
import { onAbort } from "../lifetime.ts";
import { refuseMethod } from "../methods.ts";
import { messagesIn } from "../request/classify.ts";
import { LEGACY_VERSIONS } from "../revisions.ts";
import type { Route } from "../routes.ts";
import type { Server } from "../servers.ts";
import { openEventStream } from "./event-stream.ts";
import { announce } from "./announcing.ts";
import type { SessionClient } from "./client.ts";
import { refuseRequests, tooManySessions } from "./admission.ts";
import { refuseOtherCredentials, serverFor } from "./environment.ts";
import type { Begun } from "./environment.ts";
import type { SessionRegistry } from "./session-registry.ts";
import type { Membership } from "./session.ts";

/** HTTP+SSE, the transport of 2024-11-05: a stream from the server, and POSTs to it. Source: 2024-11-05/basic/transports. */
export interface HttpSse {
  /**
   * The stream. All that the client may do is bound to it: its POSTs bring nothing but the name of the stream.
   * @throws NOT_ACCEPTABLE, ORIGIN_NOT_ALLOWED, SHUTTING_DOWN, TOO_MANY_SESSIONS, and what is wrong with the variables of the request
   */
  open(opening: Opening): Response;
  /**
   * A message of the client. What it leads to comes on the stream.
   * @throws STREAM_NOT_FOUND, ENVIRONMENT_FIXED, MESSAGE_TYPE, VERSION_NOT_SUPPORTED, and what is wrong with the body
   */
  take(request: IncomingRequest, url: URL): Promise<Response>;
}

export interface Opening {
  readonly request: IncomingRequest;
  readonly context: RequestContext;
  readonly route: Extract<Route, { kind: "sse" }>;
  readonly url: URL;
  readonly server: Server;
  readonly principal: string;
}

/** A stream, as its client's POSTs find it. */
interface Stream extends Begun {
  readonly membership: Membership;
  /** Who has opened it. */
  readonly principal: string;
}

/** Streams at once. Each takes some ten kilobytes. */
const MAX_STREAMS = 10_000;

export function createHttpSse(registry: SessionRegistry, host: Host): HttpSse {
  const streams = new Map<string, Stream>();
  return {
    open(opening) {
      if (!mayStream(opening.request.headers.get("accept"))) throw new MayflyError("NOT_ACCEPTABLE");
      refuseEmbedding(opening.request);
      if (host.drain.signal.aborted) throw new MayflyError("SHUTTING_DOWN");
      if (streams.size >= MAX_STREAMS) throw tooManySessions(MAX_STREAMS);
      return join(opening, randomUUID(), streams, registry, host);
    },
    async take(request, url) {
      refuseMethod(request, ["POST"]);
      const { searchParams } = url;
      const stream = streams.get(searchParams.get("sessionId") ?? searchParams.get("session_id") ?? "");
      if (!stream) throw new MayflyError("STREAM_NOT_FOUND");
      refuseOtherCredentials({ request, url }, stream, host.rules);
      const { membership, principal } = stream;
      const memory = host.bodyMemory.open(principal);
      const { messages } = messagesIn(await readText(request, "MESSAGE_TYPE", host.limits, memory));
      refuseRequests(messages, host);
      for (const message of messages) refuseModern(message);
      for (const message of messages) membership.receive(message);
      return new Response("Accepted", { status: 202 });
    },
  };
}

/** An image on any page can make a browser send this to a local host that needs no key; other requests have an Origin. */
function refuseEmbedding({ headers }: IncomingRequest): void {
  const isElsewhere = headers.get("sec-fetch-site") === "cross-site";
  if (isElsewhere && headers.get("origin") === null) throw new MayflyError("ORIGIN_NOT_ALLOWED");
}

/** The client joins before its stream opens: whatever closes the stream makes it leave. */
function join(
  opening: Opening,
  id: string,
  streams: Map<string, Stream>,
  registry: SessionRegistry,
  host: Host,
): Response {
  const { request, context, route, principal } = opening;
  const begun = serverFor(opening, opening.server, host.sharedSession, host.rules);
  const membership = memberOf(begun, principal, registry, host, {
    deliver: (text) => stream.send(frame(text)),
    settle(_request, text) {
      if (text !== undefined) stream.send(frame(text));
      if (host.drain.signal.aborted) closeIfIdle();
    },
    end: () => stream.close(),
  });
  const closeIfIdle = (): void => {
    if (!membership.isBusy()) stream.close();
  };
  const farewells = [() => streams.delete(id), () => membership.leave()];
  const stream = openEventStream({
    keepAliveMs: host.heartbeatMs,
    clients: [request, context],
    onClose: () => farewells.forEach((bid) => bid()),
  });
  streams.set(id, { ...begun, membership, principal });
  stream.send(`event: endpoint\ndata: ${route.endpoint}?sessionId=${id}\n\n`);
  farewells.push(onAbort(host.drain.signal, closeIfIdle));
  // The operator's listener may do anything, and end this stream too.
  const farewell = announce({ server: opening.server.name, transport: "sse", principal }, host);
  if (streams.has(id)) farewells.push(farewell);
  else farewell();
  return stream.response;
}

function memberOf(
  { server }: Begun,
  principal: string,
  registry: SessionRegistry,
  { sharedSession }: Host,
  client: SessionClient,
): Membership {
  return sharedSession ? registry.share(server, client, principal) : registry.open(server, client, principal);
}

/** The transport is older than the revision without a handshake, which a client of both then leaves. */
function refuseModern(message: Message): void {
  const { value } = message;
  if (!isRequest(message) || !hasVersion(value)) return;
  const data = { supported: LEGACY_VERSIONS, requested: versionIn(value) };
  throw new MayflyError("VERSION_NOT_SUPPORTED", { data, id: idOf(message) });
}
