import { exchange } from "./exchange.ts";
import type { Order, Outcome, Reply } from "./exchange.ts";
import type { Host } from "./host.ts";
import type { IncomingRequest, RequestContext } from "./incoming.ts";
import { anonymousHandshake, initializeText } from "./initialize.ts";
import type { RequestValue } from "./jsonrpc.ts";
import { createLifetime } from "./lifetime.ts";
import type { Lifetime } from "./lifetime.ts";
import { shortened } from "./logger.ts";
import { LEGACY_VERSIONS } from "./revisions.ts";
import type { Incoming } from "./request.ts";
import type { Server } from "./servers.ts";

/** Where a request comes from, and what ends it. */
export interface Caller {
  readonly request: IncomingRequest;
  readonly context: RequestContext;
}

/** The replies to one POST, and what can end them early; without a process, nothing can. */
export interface Run {
  readonly replies: AsyncGenerator<Reply, void, void>;
  readonly lifetime?: Lifetime;
}

/**
 * Starts the process for what a POST asks for.
 * @throws OVERLOADED, SHUTTING_DOWN, ClientGone
 */
export async function runIncoming(
  incoming: Incoming,
  server: Server,
  caller: Caller,
  host: Host,
): Promise<Run> {
  const answers = incoming.answers.map((text): Reply => ({ kind: "response", text, outcome: "ok" }));
  const { requests, handshake } = incoming;
  if (requests.length === 0) return { replies: sequence(answers) };
  const { maxMessageBytes } = host.limits;
  const run = await start({ server, requests, handshake, maxMessageBytes }, caller, host, incoming.session);
  return { ...run, replies: sequence(answers, run.replies) };
}

/** Starts a server for its handshake alone. */
export async function probe(server: Server, caller: Caller, host: Host): Promise<Reply | undefined> {
  const id = "mayfly-health";
  const text = initializeText(id, anonymousHandshake(LEGACY_VERSIONS[0]));
  const value: RequestValue = { id, method: "initialize" };
  const { maxMessageBytes } = host.limits;
  const { replies } = await start({ server, requests: [{ text, value }], maxMessageBytes }, caller, host);
  let last: Reply | undefined;
  for await (const reply of replies) last = reply;
  return last;
}

async function start(order: Order, { request, context }: Caller, host: Host, session?: string): Promise<Run> {
  const { shutdown, processes, logger, cancellations } = host;
  // One request of a batch cannot be cancelled: the process works for the others too.
  const [first, second] = order.requests;
  const id = second ? undefined : first?.value.id;
  const isNamed = session !== undefined && id !== undefined;
  const lifetime = createLifetime({
    clients: [request.signal, context.signal],
    cancellation: isNamed ? (end) => cancellations.register(session, id, end) : undefined,
    shutdown: shutdown.signal,
    deadline: context.deadline,
  });
  try {
    const process = await processes.start(order.server, lifetime.signal);
    context.waitUntil?.(process.gone);
    const onMessage = (direction: "in" | "out", text: string): void =>
      host.onMessage(order.server.name, direction, text);
    const replies = exchange(order, process, lifetime, { logger, onMessage });
    return { replies: logged(replies, order, lifetime, host), lifetime };
  } catch (error) {
    lifetime.dispose();
    throw error;
  }
}

async function* logged(
  replies: AsyncGenerator<Reply, void, void>,
  { server, requests }: Order,
  lifetime: Lifetime,
  { logger }: Host,
): AsyncGenerator<Reply, void, void> {
  const startedAt = performance.now();
  const outcomes = new Set<Outcome>();
  try {
    for await (const reply of replies) {
      if (reply.kind === "response") outcomes.add(reply.outcome);
      yield reply;
    }
  } finally {
    const outcome = [...outcomes].join(", ") || "client_gone";
    const durationMs = Math.round(performance.now() - startedAt);
    lifetime.dispose();
    logger.info({ server: server.name, ...namesOf(requests), durationMs, outcome }, "request");
  }
}

/** Of arguments, nothing but the name of the tool, prompt or resource that they are for goes into the log. */
function namesOf(requests: Order["requests"]): { method: string; tool?: string } {
  const method = requests.map(({ value }) => shortened(value.method)).join(", ");
  const tools = requests
    .map(({ value }) => value.params?.["name"])
    .filter((name) => typeof name === "string");
  return tools.length === 0 ? { method } : { method, tool: tools.map(shortened).join(", ") };
}

async function* sequence(
  first: readonly Reply[],
  then?: AsyncGenerator<Reply, void, void>,
): AsyncGenerator<Reply, void, void> {
  yield* first;
  if (then) yield* then;
}
