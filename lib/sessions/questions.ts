import { randomUUID } from "node:crypto";

import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { ANSWER_LIMIT_MS } from "../input/relaying.ts";
import { cancelledText } from "../exchange/endings.ts";
import { refusalOf } from "../exchange/conversation.ts";
import { questionOf, refusedAs } from "../input/questions.ts";
import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { memberText, setMember } from "../rawjson.ts";
import { noteElicitation } from "./elicitations.ts";
import { introduction } from "./handshake.ts";
import type { Link } from "./link.ts";
import type { Question, Seat, SessionState, Turn } from "./state.ts";
import { limitTurn, progressTokenOf } from "./turns.ts";

/** Requests of a server to the clients of a session. */

/** Questions that one client may have open: more than any user would answer. */
const MAX_OPEN = 100;

/** Hands a request of the server to the client that it is for, where that is certain, and refuses it otherwise. */
export function ask(message: Message<RequestValue>, link: Link, all: SessionState): Promise<void> | void {
  const seat = message.value.method === "ping" ? undefined : onlyOne(workedFor(link, all), all);
  if (!seat) return link.conversation.send(refusalOf(message));
  const refusal = refusalFor(message, seat, all);
  if (refusal !== undefined) return link.conversation.send(refusal);
  const id = randomUUID();
  const expiry = setTimeout(() => expire(id, all), ANSWER_LIMIT_MS);
  all.questions.set(id, { seat, link, message, stopTimer: () => clearTimeout(expiry) });
  // While its user is asked, the time for the request does not run.
  for (const turn of seat.turns.values()) turn.stopTimer();
  noteElicitation(message, seat);
  seat.client.deliver(setMember(message.text, "id", JSON.stringify(id)), newestTurn(seat, link)?.request);
}

/**
 * The only client whose request is in flight, or the only one at all.
 * @param busy the clients that the process works for
 */
export function onlyOne(busy: ReadonlySet<Seat>, { seats }: SessionState): Seat | undefined {
  const [only, ...others] = busy.size > 0 ? busy : seats;
  return others.length === 0 && only && seats.has(only) ? only : undefined;
}

/** The clients of what a process works on, also of what they do not wait for any more. */
export function workedFor(link: Link, { seats, abandoned }: SessionState): ReadonlySet<Seat> {
  const busy = new Set([...seats].filter((seat) => newestTurn(seat, link) !== undefined));
  for (const { seat, link: worker } of abandoned.values()) if (worker === link) busy.add(seat);
  return busy;
}

/** What a message without an address is most probably about. */
export function newestTurn({ turns }: Seat, link: Link): Turn | undefined {
  return [...turns.values()].findLast((turn) => turn.link === link);
}

/** A server that one client has to itself may ask whatever it wants. */
function refusalFor(message: Message<RequestValue>, seat: Seat, all: SessionState): string | undefined {
  const open = [...all.questions.values()].filter((question) => question.seat === seat);
  if (open.length >= MAX_OPEN) return refusedAs(message, "CLIENT_OUT_OF_REACH").refusal;
  if (!all.shared) return undefined;
  const question = questionOf(message, introduction(seat).capabilities);
  return "refusal" in question ? question.refusal : undefined;
}

/** A client's answer, under the id that the server knows. @returns false if nobody waits for it from this client */
export function answerQuestion(response: Message<ResponseValue>, seat: Seat, all: SessionState): boolean {
  const question = all.questions.get(response.value.id);
  if (question?.seat !== seat) return false;
  close(response.value.id, question, all);
  const text = setMember(response.text, "id", memberText(question.message.text, "id") ?? "null");
  question.link.send(text);
  return true;
}

/** Whether a client has been asked something about which the server wants to hear of progress, by that token. */
export function isAwaited(token: unknown, seat: Seat, all: SessionState): boolean {
  const isAbout = ({ seat: asked, message }: Question): boolean =>
    asked === seat && progressTokenOf(message.value) === token;
  return token !== undefined && [...all.questions.values()].some(isAbout);
}

/** The server does not want an answer any more. */
export function withdraw(serverId: unknown, link: Link, all: SessionState): void {
  for (const [id, question] of all.questions) {
    if (question.link !== link || question.message.value.id !== serverId) continue;
    close(id, question, all);
    const text = cancelledText(JSON.stringify(id), "The server has cancelled its request");
    question.seat.client.deliver(text, newestTurn(question.seat, link)?.request);
  }
}

/** The process that has asked is gone: its clients need not answer. */
export function forgetQuestions(link: Link | undefined, all: SessionState): void {
  for (const { link: asker, message } of [...all.questions.values()]) {
    if (link === undefined || asker === link) withdraw(message.value.id, asker, all);
  }
}

/** Nobody is left who could answer. */
export function refuseQuestions(seat: Seat, all: SessionState): void {
  for (const [id, question] of all.questions) if (question.seat === seat) refuse(id, question, all);
}

function expire(id: string, all: SessionState): void {
  const question = all.questions.get(id);
  if (question) refuse(id, question, all);
}

function refuse(id: RequestId, question: Question, all: SessionState): void {
  close(id, question, all);
  question.link.send(refusedAs(question.message, "CLIENT_OUT_OF_REACH").refusal);
}

function close(id: RequestId, question: Question, all: SessionState): void {
  const { seat } = question;
  all.questions.delete(id);
  question.stopTimer();
  const isAsked = [...all.questions.values()].some((other) => other.seat === seat);
  if (!isAsked) for (const turn of seat.turns.values()) if (turn.link) limitTurn(turn, all);
}
