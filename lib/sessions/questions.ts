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
import type { Question, Member, SessionState, PendingRequest } from "./state.ts";
import { limitRequest, progressTokenOf } from "./pending-requests.ts";

/** Requests of a server to the clients of a session. */

/** Questions that one client may have open: more than any user would answer. */
const MAX_OPEN = 100;

/** Hands a request of the server to the client that it is for, where that is certain, and refuses it otherwise. */
export function ask(message: Message<RequestValue>, link: Link, all: SessionState): Promise<void> | void {
  const member = message.value.method === "ping" ? undefined : onlyOne(workedFor(link, all), all);
  if (!member) return link.conversation.send(refusalOf(message));
  const refusal = refusalFor(message, member, all);
  if (refusal !== undefined) return link.conversation.send(refusal);
  const id = randomUUID();
  const expiry = setTimeout(() => expire(id, all), ANSWER_LIMIT_MS);
  all.questions.set(id, { member, link, message, stopTimer: () => clearTimeout(expiry) });
  // While its user is asked, the time for the request does not run.
  for (const pending of member.pending.values()) pending.stopTimer();
  noteElicitation(message, member);
  member.client.deliver(
    setMember(message.text, "id", JSON.stringify(id)),
    newestRequest(member, link)?.request,
  );
}

/**
 * The only client whose request is in flight, or the only one at all.
 * @param busy the clients that the process works for
 */
export function onlyOne(busy: ReadonlySet<Member>, { members }: SessionState): Member | undefined {
  const [only, ...others] = busy.size > 0 ? busy : members;
  return others.length === 0 && only && members.has(only) ? only : undefined;
}

/** The clients of what a process works on, also of what they do not wait for any more. */
export function workedFor(link: Link, { members, abandoned }: SessionState): ReadonlySet<Member> {
  const busy = new Set([...members].filter((member) => newestRequest(member, link) !== undefined));
  for (const { member, link: worker } of abandoned.values()) if (worker === link) busy.add(member);
  return busy;
}

/** What a message without an address is most probably about. */
export function newestRequest({ pending }: Member, link: Link): PendingRequest | undefined {
  return [...pending.values()].findLast((pending) => pending.link === link);
}

/** A server that one client has to itself may ask whatever it wants. */
function refusalFor(message: Message<RequestValue>, member: Member, all: SessionState): string | undefined {
  const open = [...all.questions.values()].filter((question) => question.member === member);
  if (open.length >= MAX_OPEN) return refusedAs(message, "CLIENT_OUT_OF_REACH").refusal;
  if (!all.shared) return undefined;
  const question = questionOf(message, introduction(member).capabilities);
  return "refusal" in question ? question.refusal : undefined;
}

/**
 * A client's answer, under the id that the server knows. It passes what else waits to be written: a server may read
 * nothing before it has it.
 * @returns false if nobody waits for it from this client
 */
export function answerQuestion(response: Message<ResponseValue>, member: Member, all: SessionState): boolean {
  const question = all.questions.get(response.value.id);
  if (question?.member !== member) return false;
  close(response.value.id, question, all);
  const text = setMember(response.text, "id", memberText(question.message.text, "id") ?? "null");
  void question.link.conversation.send(text);
  return true;
}

/** Whether a client has been asked something about which the server wants to hear of progress, by that token. */
export function isAwaited(token: unknown, member: Member, all: SessionState): boolean {
  const isAbout = ({ member: asked, message }: Question): boolean =>
    asked === member && progressTokenOf(message.value) === token;
  return token !== undefined && [...all.questions.values()].some(isAbout);
}

/** The server does not want an answer any more. */
export function withdraw(serverId: unknown, link: Link, all: SessionState): void {
  for (const [id, question] of all.questions) {
    if (question.link !== link || question.message.value.id !== serverId) continue;
    close(id, question, all);
    const text = cancelledText(JSON.stringify(id), "The server has cancelled its request");
    question.member.client.deliver(text, newestRequest(question.member, link)?.request);
  }
}

/** The process that has asked is gone: its clients need not answer. */
export function forgetQuestions(link: Link | undefined, all: SessionState): void {
  for (const { link: asker, message } of [...all.questions.values()]) {
    if (link === undefined || asker === link) withdraw(message.value.id, asker, all);
  }
}

/** Nobody is left who could answer. */
export function refuseQuestions(member: Member, all: SessionState): void {
  for (const [id, question] of all.questions) if (question.member === member) refuse(id, question, all);
}

function expire(id: string, all: SessionState): void {
  const question = all.questions.get(id);
  if (question) refuse(id, question, all);
}

function refuse(id: RequestId, question: Question, all: SessionState): void {
  close(id, question, all);
  void question.link.conversation.send(refusedAs(question.message, "CLIENT_OUT_OF_REACH").refusal);
}

function close(id: RequestId, question: Question, all: SessionState): void {
  const { member } = question;
  all.questions.delete(id);
  question.stopTimer();
  const isAsked = [...all.questions.values()].some((other) => other.member === member);
  if (!isAsked) for (const pending of member.pending.values()) if (pending.link) limitRequest(pending, all);
}
