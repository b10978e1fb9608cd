import type { Envelope } from "../../eras/envelope.ts";
import { LISTEN } from "../../eras/names.ts";
import { toLegacyRequest } from "../../eras/request-down.ts";
import { MayflyError, errorText } from "../../errors.ts";
import { exchange, resume } from "../../exchange/exchange.ts";
import type { ProcessSource } from "../../exchange/exchange.ts";
import { ownId } from "../../exchange/conversation.ts";
import { handshakeOfEnvelope, initializeText } from "../../exchange/initialize.ts";
import { listen } from "../../exchange/listening.ts";
import type { Input, Replies } from "../../exchange/order.ts";
import type { Exchange } from "../../exchange/turns.ts";
import { createHeldProcesses } from "../../input/held-processes.ts";
import type { HeldProcess, HeldProcesses } from "../../input/held-processes.ts";
import { mayBeAsked } from "../../input/questions.ts";
import { bindingOf, checkInputResponses } from "../../input/rerun.ts";
import { idOf, isNotification, isRequest, messageOf } from "../../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue } from "../../jsonrpc.ts";
import type { Lifetime } from "../../lifetime.ts";
import type { Logger } from "../../logger.ts";
import { modernClientOf } from "../../request/modern.ts";
import type { Server } from "../../servers.ts";
import { createInFlight } from "./in-flight.ts";
import type { InFlight } from "./in-flight.ts";
import type { RelayOptions, SessionRelay, StdioClient } from "../relay.ts";
import { UNLIMITED, orderFor, remoteServer, watchedElsewhere } from "./remote-server.ts";
import type { LegacyRemote } from "../remote.ts";
import { openSessionProcess } from "./session-process.ts";
import { createSharedSession } from "./shared-session.ts";
import type { SharedSession } from "./shared-session.ts";
import { untilAborted } from "./until-aborted.ts";

/** The handshake for a client that makes none, from what its first request says of it. Source: 2026-07-28/basic. */
export function initializeFor(envelope: Envelope): Message<RequestValue> {
  return messageOf(initializeText(ownId(), handshakeOfEnvelope(envelope)));
}

/** Milliseconds that a client has for the answers to a question. */
const ANSWER_LIMIT_MS = 30 * 60 * 1000;

/**
 * A client that has no handshake in front of a session with a remote of the older revisions. All of its requests share
 * the session: each is an exchange of its own, with a process that is a part of the session. What a server asks is the answer to the request,
 * which the remote goes on with when the client comes back; 64 may wait like that, each for 30 minutes.
 * Source: 2026-07-28/basic/versioning, Compatibility Matrix; basic/patterns/mrtr.
 */
export function createModernBeforeLegacy({
  remote,
  client,
  logger,
}: RelayOptions<LegacyRemote>): SessionRelay {
  const writer = createWriter(client);
  const closed = new AbortController();
  const relaying: Relaying = {
    logger,
    client,
    server: remoteServer("legacy"),
    session: createSharedSession(remote, logger),
    inFlight: createInFlight(writer, logger),
    held: createHeldProcesses<Exchange>(UNLIMITED, ANSWER_LIMIT_MS),
  };
  return {
    async receive(message) {
      if (isRequest(message)) await begin(message, relaying);
      else if (isNotification(message)) await note(message, relaying);
      else logger.debug({}, "An answer of the client to nothing: dropped");
    },
    async hear(message, about) {
      await relaying.session.hear(message, about);
      await untilAborted(writer.written(), closed.signal);
    },
    async close() {
      closed.abort();
      relaying.held.endAll();
      await relaying.inFlight.close();
      await relaying.session.flush();
    },
  };
}

interface Relaying {
  readonly logger: Logger;
  readonly client: StdioClient;
  readonly server: Server;
  readonly session: SharedSession;
  readonly inFlight: InFlight;
  readonly held: HeldProcesses<Exchange>;
}

/** The client, and how to wait until it has taken what was written: a remote must not say more meanwhile. */
function createWriter(client: StdioClient): StdioClient & { written(): Promise<void> } {
  let last = Promise.resolve();
  return {
    write: (text) => (last = client.write(text)),
    written: () => last,
  };
}

async function begin(request: Message<RequestValue>, relaying: Relaying): Promise<void> {
  const { session, inFlight, client } = relaying;
  // The remote still works on a request whose client has been asked.
  if (session.owners.has(request.value.id)) {
    return client.write(errorText(new MayflyError("ID_IN_USE"), idOf(request)));
  }
  return inFlight.begin(request, (lifetime) => run(request, lifetime, relaying));
}

/** @throws what is wrong with the request */
function run(request: Message<RequestValue>, lifetime: Lifetime, relaying: Relaying): Replies {
  const client = modernClientOf(request);
  const { input, waiting } = inputFor(request, relaying);
  const order = orderFor(request, relaying.server, client, input);
  if (waiting) return resume(waiting.resumed, order, lifetime);
  const isListening = request.value.method === LISTEN;
  const work = isListening ? listen : exchange;
  return work(order, processesOf(relaying.session, isListening), lifetime, watchedElsewhere(relaying.logger));
}

function processesOf(session: SharedSession, isListening: boolean): ProcessSource {
  return {
    first: openSessionProcess(session, isListening),
    more: async () => openSessionProcess(session, isListening),
  };
}

/** @throws INPUT_RESPONSE_NOT_VALID, CONTINUATION_EXPIRED */
function inputFor(
  request: Message<RequestValue>,
  { server, held }: Relaying,
): { readonly input: Input; readonly waiting?: HeldProcess<Exchange> } {
  const { method, params } = request.value;
  if (!mayBeAsked(method)) return { input: { kind: "pass", asks: false } };
  const binding = bindingOf("", server.digest, request);
  const input: Input = { kind: "hold", asks: true, held, principal: "", binding };
  if (params?.["requestState"] === undefined) return { input };
  // First: what waits, once taken, must be gone on with.
  checkInputResponses(request);
  return { input, waiting: held.take(params["requestState"], binding) };
}

async function note(message: Message<NotificationValue>, { session, inFlight }: Relaying): Promise<void> {
  if (!inFlight.cancelledBy(message))
    await session.lane()(toLegacyRequest(message.text, message.value.method));
}
