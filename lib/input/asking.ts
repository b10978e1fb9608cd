import { resultText } from "../exchange/cells.ts";
import { refusalOf } from "../exchange/conversation.ts";
import { withRequestState } from "../eras/request-down.ts";
import { inputRequiredResult } from "../eras/result-up.ts";
import { MayflyError } from "../errors.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import type { Reply } from "../exchange/order.ts";
import { MAX_OPEN, inputRequestText, questionOf, refusedAs } from "./questions.ts";
import type { Question, Refusal } from "./questions.ts";
import { memberText, setMember } from "../rawjson.ts";
import { relay } from "./relaying.ts";
import { inputResponsesOf } from "./rerun.ts";
import { answerRequest, cellFor, openedOf, progressToken, takeTurn } from "../exchange/turns.ts";
import type { Exchange, Turn } from "../exchange/turns.ts";

/** Questions of a legacy server to its client, in each input mode. */

/**
 * Deals with a request of a server.
 * @throws SERVER_ASKED for one of a modern server, which must not send any (2026-07-28/basic/transports/stdio)
 */
export async function* asked(
  message: Message<RequestValue>,
  all: Exchange,
): AsyncGenerator<Reply, void, void> {
  const { conversation, era } = openedOf(all);
  if (era === "modern") throw serverAsked(message, all);
  // Awaited: a server that asks without end and never reads would fill our memory with answers.
  if (message.value.method === "ping") return conversation.send(refusalOf(message));
  const question = admitted(message, all);
  if (!("refusal" in question)) return yield* ask(question, all);
  all.missed = merged(all.missed, question.missing);
  const { server } = all.order;
  all.logger.info({ server: server.name, question: message.value.method }, question.reason);
  await conversation.send(question.refusal);
}

export function serverAsked({ value }: Message<RequestValue>, { order }: Exchange): MayflyError {
  const values = { server: order.server.name, method: shortened(value.method) };
  return new MayflyError("SERVER_ASKED", { values });
}

/** Capabilities have parts, and more than one of them may be missing. */
function merged(missed: Exchange["missed"], more: Exchange["missed"] = {}): Exchange["missed"] {
  const names = Object.keys(more);
  const parts = names.map((name) => [name, { ...Object(missed[name]), ...Object(more[name]) } as unknown]);
  return { ...missed, ...(Object.fromEntries(parts) as Exchange["missed"]) };
}

function admitted(message: Message<RequestValue>, { order, open, relayed }: Exchange): Question | Refusal {
  if (order.input.kind === "unsafe") return refusedAs(message, "MUST_NOT_REPEAT");
  const isRefused = !order.input.asks || open.length + relayed.size >= MAX_OPEN;
  if (isRefused) return refusedAs(message, "CLIENT_OUT_OF_REACH");
  return questionOf(message, order.client.handshake.capabilities);
}

function* ask(question: Question, all: Exchange): Generator<Reply, void, void> {
  const { input } = all.order;
  const { conversation } = openedOf(all);
  const recorded = input.kind === "rerun" ? input.rerun.answerTo(question) : undefined;
  if (recorded !== undefined) void conversation.send(resultText(question.message, recorded));
  else if (input.kind !== "relay") all.open = [...all.open, question];
  else {
    yield relay(question.message, all, input, ({ text }) => {
      const id = memberText(question.message.text, "id") ?? "null";
      void conversation.send(setMember(text, "id", id));
    });
  }
}

/** The open questions as the result of the client's request, which is over with that; its retry brings the answers. */
export function suspend(all: Exchange): Reply {
  const [turn] = all.turns.values();
  const { initialized = "{}" } = openedOf(all);
  const requests = Object.entries(named(all.open)).map(([key, question]): [string, string] => [
    key,
    inputRequestText(question),
  ]);
  const serverInfo = memberText(initialized, "serverInfo");
  const result = inputRequiredResult(requests, stateOf(all), serverInfo);
  return suspended(all, turn, result);
}

/** An answer that asks for input. */
export function suspended(all: Exchange, turn: Turn | undefined, result: string): Reply {
  const request = turn?.request ?? [...all.unanswered][0];
  if (!request) throw new MayflyError("INTERNAL");
  const reply = answerRequest(all, request, resultText(request, result), false);
  return reply.kind === "response" ? { ...reply, outcome: "input_required" } : reply;
}

function named(open: readonly Question[]): Record<string, Question> {
  return Object.fromEntries(open.map((question, index) => [`q${index}`, question]));
}

/** @throws STATE_TOO_LARGE */
function stateOf(all: Exchange): string | undefined {
  const { input } = all.order;
  if (input.kind === "rerun") return input.rerun.requestState(named(all.open));
  return input.kind === "hold" ? hold(all) : undefined;
}

/** Milliseconds that a process may be kept in all, however often its client comes back. */
const MAX_HOLD_MS = 30 * 60 * 1000;

/** Keeps the process for the client's next POST. @throws NO_PLACE_TO_WAIT */
export function hold(all: Exchange): string | undefined {
  const { input } = all.order;
  const process = all.current?.process;
  if (input.kind !== "hold" || !process) return undefined;
  const { principal, binding, held } = input;
  all.heldUntil ??= Date.now() + MAX_HOLD_MS;
  const handle = held.keep({
    principal,
    binding,
    resumed: all,
    until: all.heldUntil,
    exited: process.child.exited,
    end: () => process.end(),
  });
  all.held = true;
  all.release();
  return handle;
}

/** Goes on with a process that waited: the order's request is the client's retry. */
export function continueHeld(all: Exchange): void {
  const [request] = all.order.requests;
  const [waiting] = all.turns;
  if (!request) throw new MayflyError("INTERNAL");
  if (!waiting) return sendRetry(request, all);
  const [serverId, turn] = waiting;
  all.turns.set(serverId, { ...turn, request, clientToken: progressToken(request.text) });
  answerOpen(all, request);
}

/** A modern server gets its own state back, in place of the handle. */
function sendRetry(request: Message<RequestValue>, all: Exchange): void {
  const text = withRequestState(request.text, all.serverState);
  const down = cellFor(all).request({ ...request, text });
  if ("send" in down) takeTurn(all, request, down.send);
}

/** Gives the server the answers that a retry brings; what has none is asked again. */
function answerOpen(all: Exchange, request: Message<RequestValue>): void {
  const answers = inputResponsesOf(request);
  const { conversation } = openedOf(all);
  const rest = Object.entries(named(all.open)).filter(([key, { message }]) => {
    const answer = answers(key);
    if (answer !== undefined) void conversation.send(resultText(message, answer));
    return answer === undefined;
  });
  all.open = rest.map(([, question]) => question);
}
