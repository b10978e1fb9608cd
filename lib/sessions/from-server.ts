import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { isNotification, isRequest, isResponse } from "../jsonrpc.ts";
import type { Message, NotificationValue, ResponseValue } from "../jsonrpc.ts";
import { editMember, setMember } from "../rawjson.ts";
import type { Link } from "./link.ts";
import { elicitedBy, noteRequiredElicitations } from "./elicitations.ts";
import { wantsLevel } from "./log-levels.ts";
import { forgetAbandoned } from "./abandoned.ts";
import { ask, newestRequest, onlyOne, withdraw, workedFor } from "./questions.ts";
import type { Member, SessionState } from "./state.ts";
import { subscribersOf } from "./subscriptions.ts";
import { endRequest } from "./pending-requests.ts";

/** Messages of the server of a session, on their way to the client that they are for. */

/** @returns a promise if the server must wait before it may say more */
export function hear(message: Message, link: Link, all: SessionState): Promise<void> | void {
  if (isRequest(message)) return ask(message, link, all);
  if (isResponse(message)) answer(message, link, all);
  else if (isNotification(message)) tell(message, link, all);
}

function answer(message: Message<ResponseValue>, link: Link, all: SessionState): void {
  const { text, value } = message;
  forgetAbandoned(value.id, link, all);
  const pending = all.pending.get(value.id);
  if (pending?.link !== link) return;
  all.links.noteAnswer();
  noteRequiredElicitations(message, pending.member);
  const isError = value.error !== undefined;
  const shown = all.server.filter.shown(pending.request.value.method, text);
  endRequest(pending, setMember(shown, "id", pending.clientId), isError ? "error" : "ok", all);
}

function tell(message: Message<NotificationValue>, link: Link, all: SessionState): void {
  const { method, params } = message.value;
  if (method === "notifications/progress") return tellProgress(message, link, all);
  if (method === "notifications/cancelled") return withdraw(params?.["requestId"], link, all);
  for (const member of listenersOf(message, link, all)) {
    member.client.deliver(message.text, isAbout(method) ? newestRequest(member, link)?.request : undefined);
  }
}

/** Under the token that the client gave. The server was given our id for it. */
function tellProgress({ text, value }: Message<NotificationValue>, link: Link, all: SessionState): void {
  const pending = all.pending.get(value.params?.["progressToken"] as RequestId);
  if (pending?.link !== link || pending.clientToken === undefined) return;
  const token = pending.clientToken;
  const renamed = editMember(text, "params", (params) => setMember(params, "progressToken", token));
  pending.member.client.deliver(renamed, pending.request);
}

/** About the server as a whole, and none of the requests that run. */
const FOR_ALL = /^notifications\/.*\/list_changed$/;
const VISIT_OVER = "notifications/elicitation/complete";
const ABOUT_RESOURCES = "notifications/resources/updated";

function isAbout(method: string): boolean {
  return !FOR_ALL.test(method) && method !== ABOUT_RESOURCES && method !== VISIT_OVER;
}

function listenersOf(
  { value: { method, params } }: Message<NotificationValue>,
  link: Link,
  all: SessionState,
): Iterable<Member> {
  if (!all.shared || FOR_ALL.test(method)) return all.members;
  if (method === VISIT_OVER) return elicitedBy(params?.["elicitationId"], all.members);
  if (method === ABOUT_RESOURCES) return subscribersOf(params?.["uri"], all);
  // What a task does is for whoever started it, and nobody could.
  if (method.startsWith("notifications/tasks/")) return [];
  const isLog = method === "notifications/message";
  return audience(link, all).filter((member) => !isLog || wantsLevel(member, params?.["level"]));
}

/** With requests of several clients in flight, nobody can tell whose business it is: none of them hears it. */
function audience(link: Link, all: SessionState): Member[] {
  const busy = workedFor(link, all);
  const only = onlyOne(busy, all);
  if (only) return [only];
  return busy.size > 0 ? [] : [...all.members];
}
