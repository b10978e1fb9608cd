import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import { hold, suspended } from "./asking.ts";
import { handshakeFor } from "../exchange/cells.ts";
import { ownId } from "../exchange/conversation.ts";
import { toModernRequest, withInputResponses } from "../eras/request-down.ts";
import { resultTypeOf } from "../eras/result-up.ts";
import { MayflyError, errorText } from "../errors.ts";
import { idOf, isObject, messageOf } from "../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { onAbort } from "../lifetime.ts";
import { shortened } from "../logger.ts";
import type { Reply, Replies } from "../exchange/order.ts";
import { deferred } from "../promises.ts";
import { earlyEnd } from "../reasons.ts";
import { MAX_OPEN, questionOf } from "./questions.ts";
import { editMember, isObjectText, memberText, members, setMember } from "../rawjson.ts";
import { relay } from "./relaying.ts";
import { answerRequest, methodsOf, openedOf, takeTurn, underOwnId } from "../exchange/turns.ts";
import type { Exchange, Turn } from "../exchange/turns.ts";

/**
 * Results of a modern server that end nothing: it needs input first. Source: 2026-07-28/basic/patterns/mrtr.
 */

/** A result that is not complete. */
export async function* notComplete(turn: Turn, message: Message<ResponseValue>, all: Exchange): Replies {
  if (all.order.client.era === "modern") return yield passed(turn, message, all);
  try {
    if (resultTypeOf(message.value.result) !== "input_required") throw typeNotKnown(message, all);
    yield* retry(turn, message, all);
  } catch (error) {
    if (!(error instanceof MayflyError && ITS_OWN.has(error.code))) throw error;
    // Of this request alone: others of its batch may well be answered.
    yield answerRequest(all, turn.request, errorText(error, idOf(turn.request)), true);
  }
}

const ITS_OWN: ReadonlySet<string> = new Set(["INPUT_OUT_OF_REACH", "RESULT_TYPE_NOT_KNOWN"]);

/** A modern client reads it as it is; under `hold` its retry comes back to this process. */
function passed(turn: Turn, message: Message<ResponseValue>, all: Exchange): Reply {
  const isInput = resultTypeOf(message.value.result) === "input_required";
  if (!isInput) {
    return answerRequest(all, turn.request, underOwnId(turn.request, message, message.text), false);
  }
  const result = memberText(message.text, "result") ?? "{}";
  const handle = hold(all);
  if (handle === undefined) return suspended(all, turn, result);
  all.serverState = requestStateOf(message.value.result);
  return suspended(all, turn, setMember(result, "requestState", JSON.stringify(handle)));
}

function requestStateOf(result: unknown): string | undefined {
  const state = isObject(result) ? result["requestState"] : undefined;
  return typeof state === "string" ? state : undefined;
}

function typeNotKnown({ value }: Message<ResponseValue>, { order }: Exchange): MayflyError {
  const type = shortened(String(resultTypeOf(value.result)));
  return new MayflyError("RESULT_TYPE_NOT_KNOWN", { values: { server: order.server.name, type } });
}

/** Retries that a legacy client does not see. */
const MAX_RETRIES = 5;
/** Rounds of questions to a legacy client for one request: not all of them are seen by a user. */
const MAX_ROUNDS = 100;
/** Milliseconds before a retry that brings nothing new: the server waits for something of its own. */
const RETRY_DELAY_MS = 250;

/** A legacy client knows no such result: we retry in its place, and ask it in the older way where that is possible. */
async function* retry(turn: Turn, message: Message<ResponseValue>, all: Exchange): Replies {
  const asked = memberText(memberText(message.text, "result") ?? "{}", "inputRequests");
  const isQuestion = isObjectText(asked) && members(asked).length > 0;
  const { retries, rounds } = turn;
  if (isQuestion && rounds >= MAX_ROUNDS) throw outOfReach(all);
  const responses = isQuestion ? yield* answersFor(asked, all) : undefined;
  if (!isQuestion && retries >= MAX_RETRIES) throw outOfReach(all);
  if (!isQuestion) await delay(RETRY_DELAY_MS, undefined, { signal: all.lifetime.signal });
  const state = requestStateOf(message.value.result);
  const again = withInputResponses(turn.request.text, responses, state);
  const id = JSON.stringify(ownId());
  const sent = setMember(toModernRequest(again, handshakeFor(all.order)), "id", id);
  const counted = isQuestion ? { retries, rounds: rounds + 1 } : { retries: retries + 1, rounds };
  takeTurn(all, turn.request, sent, counted);
}

function outOfReach({ order }: Exchange): MayflyError {
  return new MayflyError("INPUT_OUT_OF_REACH", { values: { server: order.server.name } });
}

/**
 * Asks a legacy client all questions at once, and waits for all answers.
 * @returns the raw InputResponses
 * @throws INPUT_OUT_OF_REACH if the client cannot be asked, or answers with an error
 */
async function* answersFor(asked: string, all: Exchange): AsyncGenerator<Reply, string, void> {
  const { input } = all.order;
  if (input.kind !== "relay") throw outOfReach(all);
  const answers: Promise<string | undefined>[] = [];
  const questions = members(asked);
  if (questions.length > MAX_OPEN) throw outOfReach(all);
  for (const { key, start, end } of questions) {
    const { promise, resolve } = deferred<string | undefined>();
    answers.push(promise);
    const question = legacyQuestion(asked.slice(start, end), all);
    yield relay(question, all, input, ({ text }) => resolve(answerMember(key, text)));
  }
  const given = await unlessAborted(all.lifetime.signal, [Promise.all(answers), deathOf(all)]);
  if (given.includes(undefined)) throw outOfReach(all);
  return `{${given.join(",")}}`;
}

function answerMember(key: string, text: string): string | undefined {
  const result = memberText(text, "result");
  return isObjectText(result) ? `${JSON.stringify(key)}:${result}` : undefined;
}

/** 2025-11-25/client/elicitation wants an id for a URL, by which nobody will refer to it. */
function legacyQuestion(request: string, all: Exchange): Message<RequestValue> {
  if (!isObjectText(request)) throw outOfReach(all);
  const { mode } = Object((JSON.parse(request) as RequestValue).params) as { mode?: unknown };
  const named = mode === "url" ? editMember(request, "params", withElicitationId) : request;
  const message = messageOf<RequestValue>(setMember(setMember(named, "jsonrpc", '"2.0"'), "id", '""'));
  if ("refusal" in questionOf(message, all.order.client.handshake.capabilities)) throw outOfReach(all);
  return message;
}

function withElicitationId(params: string): string {
  return setMember(params, "elicitationId", JSON.stringify(randomUUID()));
}

/** Nobody would hear the answers. */
async function deathOf(all: Exchange): Promise<never> {
  const { process } = openedOf(all).conversation;
  await process.child.exited;
  throw await earlyEnd(process.child, all.order.server, methodsOf(all));
}

/** The first of them, unless the signal fires before. Stops listening: the next round listens again. */
async function unlessAborted<Value>(
  signal: AbortSignal,
  promises: readonly Promise<Value>[],
): Promise<Value> {
  let off = (): void => undefined;
  const rejection = new Promise<never>((_resolve, reject) => {
    off = onAbort(signal, () => reject(signal.reason as Error));
  });
  try {
    return await Promise.race([...promises, rejection]);
  } finally {
    off();
  }
}
