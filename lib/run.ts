import type { ConversationOptions } from "./exchange/conversation.ts";
import { LISTEN } from "./eras/names.ts";
import { MayflyError, errorText } from "./errors.ts";
import { exchange, resume } from "./exchange/exchange.ts";
import type { ProcessSource } from "./exchange/exchange.ts";
import { checkToolHeaders } from "./request/header-parameters.ts";
import type { Host } from "./host.ts";
import type { IncomingRequest, RequestContext } from "./incoming.ts";
import { anonymousHandshake, initializeText } from "./exchange/initialize.ts";
import type { Handshake } from "./exchange/initialize.ts";
import { REFUSE, inputFor } from "./input/policy.ts";
import type { Asking } from "./input/policy.ts";
import { idOf } from "./jsonrpc.ts";
import type { Message, RequestValue } from "./jsonrpc.ts";
import { createLifetime } from "./lifetime.ts";
import type { Lifetime } from "./lifetime.ts";
import { acknowledge, listen } from "./exchange/listening.ts";
import { namesOf } from "./exchange/names.ts";
import type { Client, Input, Order, Outcome, Reply, Replies } from "./exchange/order.ts";
import type { Incoming } from "./request/classify.ts";
import { LEGACY_VERSIONS } from "./revisions.ts";
import type { OwnProcess } from "./processes.ts";
import type { Server, ServersChange } from "./servers.ts";
import { recordedProcess } from "./snapshot/recorded-process.ts";
import { isPrivate, isRecorded, mayBeRecorded, orderForRecord } from "./snapshot/replay.ts";

/** Where a request comes from, and what ends it. */
export interface Caller {
  readonly request: IncomingRequest;
  readonly context: RequestContext;
  /** Names who calls, by the key that let them in. */
  readonly principal: string;
  /** Whether the client reads event streams. */
  readonly stream: boolean;
}

/** What is read of a request once it is known what it asks for. */
interface Source extends Pick<Caller, "principal"> {
  readonly request: Pick<IncomingRequest, "headers" | "signal">;
  readonly context: RequestContext;
}

/** The replies to one POST, and what can end them early; without a process, nothing can. */
export interface Run {
  readonly replies: Replies;
  readonly lifetime?: Lifetime;
}

/**
 * Starts what a POST asks for.
 * @throws OVERLOADED, SHUTTING_DOWN, NOT_ACCEPTABLE, HEADER_MISMATCH, ClientGone, and what `inputFor` throws
 */
export async function runIncoming(
  incoming: Incoming,
  server: Server,
  caller: Caller,
  host: Host,
): Promise<Run> {
  const answers = incoming.answers.map((text): Reply => ({ kind: "response", text, outcome: "ok" }));
  const { requests, client } = incoming;
  if (!client || requests.length === 0) return { replies: sequence(answers) };
  const [request] = requests;
  if (request?.value.method === LISTEN && client.era === "modern") {
    return runListen(request, client, server, caller, host);
  }
  const run = await runRequests(requests, client, incoming.session, server, caller, host);
  return { ...run, replies: sequence(answers, run.replies) };
}

async function runRequests(
  requests: readonly Message<RequestValue>[],
  client: Client,
  session: string | undefined,
  server: Server,
  caller: Caller,
  host: Host,
): Promise<Run> {
  const asking = { ...caller, client, requests, server };
  // First: a process that waits, once taken, must be gone on with.
  checkKnownParameters(asking, host);
  const { input, waiting } = inputFor(asking, host);
  const order = orderFor(requests, client, input, server, caller, host);
  if (!waiting && mayBeRecorded(order)) return runRecordable(order, session, caller, host);
  if (!waiting) return start(order, exchange, caller, host, session);
  const lifetime = lifetimeFor(order, caller, host);
  const replies = resume(waiting.resumed, order, lifetime);
  return { replies: logged(replies, order, lifetime, host), lifetime };
}

/** A server whose tools are known need not be started for a request that it must not get. */
function checkKnownParameters(
  { client, requests, server, request: { headers } }: Asking & Caller,
  { paramHeaders }: Host,
): void {
  const [request] = requests;
  const { method, params } = request?.value ?? {};
  if (client.era === "legacy" || method !== "tools/call" || paramHeaders === "off") return;
  const tool = server.tools.find(params?.["name"]);
  if (tool && request) checkToolHeaders(headers, tool.headers, request);
}

/** A subscription would be of no use to a client that reads no streams. */
async function runListen(
  request: Message<RequestValue>,
  client: Client,
  server: Server,
  caller: Caller,
  host: Host,
): Promise<Run> {
  if (!caller.stream) throw new MayflyError("NOT_ACCEPTABLE");
  if (host.listen === "acknowledge") return { replies: acknowledge(request) };
  const release = host.places.take({ principal: caller.principal });
  const order = orderFor([request], client, REFUSE, server, caller, host);
  try {
    const run = await start(order, listen, caller, host);
    const unlisten = host.servers.onChange((change) => {
      // Its client asks again, and then hears of the new server.
      if (isReplaced(server, change)) run.lifetime?.end(new MayflyError("SHUTTING_DOWN"));
    });
    return { ...run, replies: releasing(run.replies, [unlisten, release]) };
  } catch (error) {
    release();
    throw error;
  }
}

/** By name: a request may have a server of its own, made from the one that was configured. */
function isReplaced({ name }: Server, { removed, changed }: ServersChange): boolean {
  return [...removed, ...changed.map(({ from }) => from)].some((server) => server.name === name);
}

async function* releasing(replies: Replies, releases: readonly (() => void)[]): Replies {
  try {
    yield* replies;
  } finally {
    for (const release of releases) release();
  }
}

function orderFor(
  requests: readonly Message<RequestValue>[],
  client: Client,
  input: Input,
  server: Server,
  { request }: Source,
  { listen: listening, paramHeaders }: Host,
): Order {
  return {
    server,
    client,
    requests,
    input,
    advertised: { changes: listening === "serve" && client.era === "modern" },
    headers: request.headers,
    paramHeaders,
  };
}

/** A request of a client whose session a server without a handshake cannot keep. */
export interface SessionRequest {
  readonly request: Message<RequestValue>;
  readonly handshake: Handshake;
  readonly server: Server;
  /** Names the client, and nobody else: by it its answers to questions find the server. */
  readonly principal: string;
  /** Names the caller, who may be several clients. */
  readonly caller: string;
  /** Fires when the client wants no answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Runs such a request on a process of its own.
 * @throws OVERLOADED, SHUTTING_DOWN, ClientGone
 */
export async function runForSession(
  { request, handshake, server, principal, caller: owner, signal }: SessionRequest,
  host: Host,
): Promise<Run> {
  const { relays, places } = host;
  const input: Input = { kind: "relay", asks: true, relays, principal, places };
  const caller = { request: { headers: new Headers(), signal }, context: {}, principal: owner };
  const order = orderFor([request], { era: "legacy", handshake }, input, server, caller, host);
  return start(order, exchange, caller, host);
}

/** Starts a server for its handshake alone. */
export async function probe(
  server: Server,
  caller: Omit<Caller, "stream">,
  host: Host,
): Promise<Reply | undefined> {
  const id = "mayfly-health";
  const handshake = anonymousHandshake(LEGACY_VERSIONS[0]);
  const text = initializeText(id, handshake);
  const value: RequestValue = { id, method: "initialize" };
  const client = { era: "legacy", handshake } as const;
  const order = orderFor([{ text, value }], client, REFUSE, server, caller, host);
  const { replies } = await start(order, exchange, caller, host);
  let last: Reply | undefined;
  for await (const reply of replies) last = reply;
  return last;
}

type Work = (
  order: Order,
  processes: ProcessSource,
  lifetime: Lifetime,
  options: ConversationOptions,
) => Replies;

/** What the server has answered before takes the place of its process. */
async function runRecordable(
  order: Order,
  session: string | undefined,
  caller: Source,
  host: Host,
): Promise<Run> {
  const snapshot = order.server.snapshot?.current();
  const hidden = isPrivate(order.server);
  const run = await (snapshot && isRecorded(order, snapshot)
    ? start(orderForRecord(order), exchange, caller, host, session, () => recordedProcess(snapshot, hidden))
    : start(order, exchange, caller, host, session));
  // Last: the request has its place, if it needs one.
  host.refreshing.note(order.server);
  return run;
}

async function start(
  order: Order,
  work: Work,
  caller: Source,
  host: Host,
  session?: string,
  recorded?: () => OwnProcess,
): Promise<Run> {
  const lifetime = lifetimeFor(order, caller, host, session);
  const startNext = async (isSuccessor: boolean) => {
    if (recorded) return recorded();
    const process = await host.processes.start(order.server, lifetime.signal, caller.principal, isSuccessor);
    caller.context.waitUntil?.(process.gone);
    return process;
  };
  try {
    const processes = { first: await startNext(false), more: () => startNext(true) };
    const options = conversationOptions(order, host, recorded !== undefined);
    const replies = work(order, processes, lifetime, options);
    return { replies: logged(replies, order, lifetime, host, recorded !== undefined), lifetime };
  } catch (error) {
    lifetime.dispose();
    throw error;
  }
}

function lifetimeFor(
  { requests }: Order,
  { request, context }: Source,
  { shutdown, drain, cancellations }: Host,
  session?: string,
): Lifetime {
  // One request of a batch cannot be cancelled: the process works for the others too.
  const [first, second] = requests;
  const id = second ? undefined : first?.value.id;
  const isNamed = session !== undefined && id !== undefined;
  return createLifetime({
    clients: [request, context],
    cancellation: isNamed ? (end) => cancellations.register(session, id, end) : undefined,
    shutdown: first?.value.method === LISTEN ? drain.signal : shutdown.signal,
    deadline: context.deadline,
  });
}

function conversationOptions(
  { server, requests }: Order,
  { logger, watch }: Host,
  isRecorded: boolean,
): ConversationOptions {
  // A subscription has no end of its own.
  const isEndless = requests[0]?.value.method === LISTEN;
  return {
    logger,
    // Of a record, nothing goes to a server and nothing comes from it.
    onMessage: (direction, text) => isRecorded || watch(server, direction, text),
    maxOutputBytes: isEndless ? undefined : server.maxOutputBytes,
  };
}

async function* logged(
  replies: Replies,
  { server, requests }: Order,
  lifetime: Lifetime,
  { logger }: Host,
  isRecorded = false,
): Replies {
  const startedAt = performance.now();
  const outcomes = new Set<Outcome>();
  try {
    for await (const reply of replies) {
      if (reply.kind === "response") outcomes.add(reply.outcome);
      yield reply;
    }
  } catch (err) {
    // The last door: a stream that breaks off would leave the client without an answer.
    logger.error({ err }, "An exchange failed");
    if (outcomes.size === 0) yield* requests.map((request) => internalError(request));
    outcomes.add("internal");
  } finally {
    const outcome = [...outcomes].join(", ") || "client_gone";
    const durationMs = Math.round(performance.now() - startedAt);
    lifetime.dispose();
    const source = isRecorded ? { snapshot: true } : {};
    logger.info({ server: server.name, ...namesOf(requests), ...source, durationMs, outcome }, "request");
  }
}

function internalError(request: Message<RequestValue>): Reply {
  const text = errorText(new MayflyError("INTERNAL"), idOf(request));
  return { kind: "response", text, outcome: "internal", status: 500 };
}

async function* sequence(first: readonly Reply[], then?: Replies): Replies {
  yield* first;
  if (then) yield* then;
}
