import { editObject } from "../eras/capabilities.ts";
import { MayflyError, errorText, toMayflyError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { idOf, isNotification, isObject, isRequest, isResponse } from "../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import { memberText, setMember } from "../rawjson.ts";
import { effectiveLevel, levelOf } from "./log-levels.ts";
import { initializeResult, keepHandshake, linkFor } from "./handshake.ts";
import { MAX_UNREAD } from "./link.ts";
import type { Link } from "./link.ts";
import { answerQuestion, isAwaited } from "./questions.ts";
import type { Member, SessionState, PendingRequest } from "./state.ts";
import { SUBSCRIPTION_LIMITS, isAboutSubscription, isMet, isOneTooMany, noteWish } from "./subscriptions.ts";
import {
  beginRequest,
  cancelRequest,
  endRequest,
  failRequest,
  isFull,
  isOpen,
  limitRequest,
} from "./pending-requests.ts";

/** Messages of the clients of a session, on their way to the server. */

/** @returns false for a response that nobody waits for */
export function receive(message: Message, member: Member, all: SessionState): boolean {
  if (isResponse(message)) return answerQuestion(message, member, all) || all.answerBridge(member, message);
  if (isRequest(message)) takeRequest(message, member, all);
  else if (isNotification(message)) note(message, member, all);
  return true;
}

function takeRequest(request: Message<RequestValue>, member: Member, all: SessionState): void {
  const own = ownAnswer(request, member, all);
  if (own !== undefined) return member.client.settle(request, own);
  const pending = beginRequest(request, member, all);
  noteWish(request, member);
  if (request.value.method === "initialize") keepHandshake(request, member, all);
  void run(pending, all);
}

/** Characters of what a client says of itself, which is kept as long as its session. Icons have room in it. */
const MAX_INITIALIZE = 64 * 1024;

/** The answer to a request that the server need not see. */
function ownAnswer(request: Message<RequestValue>, member: Member, all: SessionState): string | undefined {
  const { method } = request.value;
  const id = idOf(request);
  if (all.refusal) return errorText(all.refusal, id);
  if (isFull(request, all)) return refusal(request, "SESSION_FULL");
  if (member.pending.has(id)) return refusal(request, "ID_IN_USE");
  if (method === "ping") return emptyResult(request);
  if (NOTIFICATION.test(method)) return refusal(request, "NO_REQUEST");
  if (isAboutSubscription(method) && typeof request.value.params?.["uri"] !== "string") {
    return refusal(request, "URI_MISSING");
  }
  if (method === "initialize" && !isObject(request.value.params))
    return refusal(request, "INVALID_INITIALIZE");
  if (method === "initialize" && request.text.length > MAX_INITIALIZE)
    return refusal(request, "INITIALIZE_TOO_LONG", { limit: MAX_INITIALIZE });
  if (isOneTooMany(request, member)) return refusal(request, "TOO_MANY_SUBSCRIPTIONS", SUBSCRIPTION_LIMITS);
  const hidden = all.server.filter.refusal(request);
  if (hidden !== undefined || !all.shared) return hidden;
  if (method.startsWith("tasks/")) return refusal(request, "NOT_SHARED");
  return isMet(request, member, all) ? emptyResult(request) : undefined;
}

function emptyResult(request: Message<RequestValue>): string {
  return `{"jsonrpc":"2.0","id":${idOf(request)},"result":{}}`;
}

function refusal(
  request: Message<RequestValue>,
  code: ErrorCode,
  limits: Readonly<Record<string, number>> = {},
): string {
  const values = { method: shortened(request.value.method), ...limits };
  return errorText(new MayflyError(code, { values }), idOf(request));
}

/** Never rejects. Messages keep their order, since all of them wait for the same process. */
async function run(pending: PendingRequest, all: SessionState): Promise<void> {
  try {
    const link = await linkFor(pending, all);
    if (!isOpen(pending, all)) return;
    if (!link) all.bridge(pending, all);
    else if (pending.request.value.method === "initialize") answerInitialize(pending, link, all);
    else send(pending, link, all);
  } catch (error) {
    failRequest(pending, toMayflyError(error), all);
  }
}

function answerInitialize(pending: PendingRequest, link: Link, all: SessionState): void {
  const result = initializeResult(pending, link, all);
  const text = `{"jsonrpc":"2.0","id":${pending.clientId},"result":${result}}`;
  endRequest(pending, text, "ok", all);
}

function send(pending: PendingRequest, link: Link, all: SessionState): void {
  pending.link = link;
  limitRequest(pending, all);
  if (link.send(textFor(pending, all))) return;
  const values = { server: all.server.name, limit: MAX_UNREAD };
  throw new MayflyError("SERVER_NOT_READING", { values });
}

/** The request under the session's own id and progress token. */
function textFor(
  { request: { text, value }, member, id, clientToken }: PendingRequest,
  all: SessionState,
): string {
  const own = setMember(text, "id", String(id));
  const named = clientToken === undefined ? own : withProgressToken(own, String(id));
  return value.method === "logging/setLevel" ? withCommonLevel(named, member, all) : named;
}

function withProgressToken(text: string, token: string): string {
  return editObject(text, "params", (params) =>
    editObject(params, "_meta", (meta) => setMember(meta, "progressToken", token)),
  );
}

/** The server keeps one level for all: the most talkative that one of them wants. */
function withCommonLevel(text: string, member: Member, all: SessionState): string {
  member.logLevel = levelOf(text) ?? member.logLevel;
  const level = effectiveLevel(all);
  if (level === undefined) return text;
  return editObject(text, "params", (params) => setMember(params, "level", JSON.stringify(level)));
}

const NOTIFICATION = /^notifications\//;

/** Notifications of a client. The handshake's own is sent by us, as soon as the server is ready for it. */
function note(message: Message<NotificationValue>, member: Member, all: SessionState): void {
  const { method } = message.value;
  if (method === "notifications/initialized") return;
  if (method === "notifications/cancelled") return cancel(message, member, all);
  const link = all.links.running();
  if (link && mayTell(message, member, all)) link.send(message.text);
}

function cancel({ text, value }: Message<NotificationValue>, member: Member, all: SessionState): void {
  const params = memberText(text, "params");
  const pending =
    params === undefined ? undefined : member.pending.get(memberText(params, "requestId") ?? "");
  const reason = value.params?.["reason"];
  if (pending)
    cancelRequest(pending, all, typeof reason === "string" ? reason : "The client has cancelled it");
}

/**
 * A client that is not alone may not speak for the others. And nothing but a notification may come without an id: a
 * server might take a call for one, which no filter has seen.
 */
function mayTell({ value }: Message<NotificationValue>, member: Member, all: SessionState): boolean {
  if (!NOTIFICATION.test(value.method)) return false;
  if (value.method === "notifications/progress")
    return isAwaited(value.params?.["progressToken"], member, all);
  return all.members.size === 1 || value.method !== "notifications/roots/list_changed";
}
