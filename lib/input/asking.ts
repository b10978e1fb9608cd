import { resultText } from "../exchange/cells.ts";
import { refusalOf } from "../exchange/conversation.ts";
import { withRequestState } from "../eras/request-down.ts";
import { inputRequiredResult } from "../eras/result-up.ts";
import { MayflyError } from "../errors.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import type { Reply } from "../exchange/order.ts";
import { inputRequestText, questionOf } from "./questions.ts";
import type { Question, Refusal } from "./questions.ts";
import { memberText, setMember } from "../rawjson.ts";
import { relay } from "./relaying.ts";
import { inputResponsesOf } from "./rerun.ts";
import { answerRequest, openedOf, takeTurn } from "../exchange/turns.ts";
import type { Exchange, Turn } from "../exchange/turns.ts";

/** Questions of a legacy server to its client, in each input mode. */

/** Questions that one process may have open: more than any user would answer. */
const MAX_OPEN = 16;

/**
 * Deals with a request of a server.
 * @throws SERVER_ASKED for one of a modern server, which must not send any (2026-07-28/basic/transports/stdio)
 */
export async function* asked(
  message: Message<RequestValue>,
  all: Exchange,
): AsyncGenerator<Reply, void, void> {
  const { conversation, era } = openedOf(all).opened;
  if (era === "modern") throw serverAsked(message, all);
  const question = admitted(message, all);
  if (!("refusal" in question)) return yield* ask(question, all);
  all.missed = { ...all.missed, ...question.missing };
  // Awaited: a server that asks without end and never reads would fill our memory with answers.
  await conversation.send(question.refusal);
}

function serverAsked({ value }: Message<RequestValue>, { order }: Exchange): MayflyError {
  const values = { server: order.server.name, method: shortened(value.method) };
  return new MayflyError("SERVER_ASKED", { values });
}

function admitted(message: Message<RequestValue>, { order, open, relayed }: Exchange): Question | Refusal {
  const isRefused = !order.input.asks || open.length + relayed.size >= MAX_OPEN;
  if (isRefused || message.value.method === "ping") {
    return { refusal: refusalOf(message), missing: undefined };
  }
  return questionOf(message, order.client.handshake.capabilities);
}

function* ask(question: Question, all: Exchange): Generator<Reply, void, void> {
  const { input } = all.order;
  const { conversation } = openedOf(all).opened;
  const recorded = input.kind === "rerun" ? input.rerun.answerTo(question) : undefined;
  if (recorded !== undefined) void conversation.send(resultText(question.message, recorded));
  else if (input.kind !== "relay") all.open = [...all.open, question];
  else {
    yield relay(question.message, all, input.relays, ({ text }) => {
      const id = memberText(question.message.text, "id") ?? "null";
      void conversation.send(setMember(text, "id", id));
    });
  }
}

/** The open questions as the result of the client's request, which is over with that; its retry brings the answers. */
export function suspend(all: Exchange): Reply {
  const [turn] = all.turns.values();
  const { initialized = "{}" } = openedOf(all).opened;
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
  const reply = answerRequest(all, request, resultText(request, result));
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

/** Keeps the process for the client's next POST. */
export function hold(all: Exchange): string | undefined {
  const { input } = all.order;
  const process = all.current?.process;
  if (input.kind !== "hold" || !process) return undefined;
  all.held = true;
  const { binding, held } = input;
  return held.keep({
    binding,
    resumed: all,
    exited: process.child.exited,
    end: () => process.end(),
  });
}

/** Goes on with a process that waited: the order's request is the client's retry. */
export function continueHeld(all: Exchange): void {
  const [request] = all.order.requests;
  const [waiting] = all.turns;
  if (!request) throw new MayflyError("INTERNAL");
  if (!waiting) return sendRetry(request, all);
  const [serverId, turn] = waiting;
  all.turns.set(serverId, { ...turn, request });
  answerOpen(all, request);
}

/** A modern server gets its own state back, in place of the handle. */
function sendRetry(request: Message<RequestValue>, all: Exchange): void {
  const text = withRequestState(request.text, all.serverState);
  const down = openedOf(all).cell.request({ ...request, text });
  if ("send" in down) takeTurn(all, request, down.send);
}

/** Gives the server the answers that a retry brings; what has none is asked again. */
function answerOpen(all: Exchange, request: Message<RequestValue>): void {
  const answers = inputResponsesOf(request);
  const { conversation } = openedOf(all).opened;
  const rest = Object.entries(named(all.open)).filter(([key, { message }]) => {
    const answer = answers(key);
    if (answer !== undefined) void conversation.send(resultText(message, answer));
    return answer === undefined;
  });
  all.open = rest.map(([, question]) => question);
}
