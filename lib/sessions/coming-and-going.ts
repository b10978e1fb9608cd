import { requestText } from "../eras/request-down.ts";
import { CLIENT_GONE } from "../exchange/endings.ts";
import type { MayflyError } from "../errors.ts";
import { ownId } from "../exchange/conversation.ts";
import { forgetAllAbandoned } from "./abandoned.ts";
import { effectiveLevel } from "./log-levels.ts";
import { forgetQuestions, refuseQuestions } from "./questions.ts";
import type { Link } from "./link.ts";
import type { Member, SessionState } from "./state.ts";
import { isSubscribedElsewhere } from "./subscriptions.ts";
import { cancelRequest, failRequest } from "./pending-requests.ts";

/** A client leaves: what was for it alone ends, and the others notice nothing. */
export function leave(member: Member, all: SessionState): void {
  if (!all.members.delete(member)) return;
  const watched = [...member.subscriptions.keys()];
  for (const pending of [...member.pending.values()]) cancelRequest(pending, all, CLIENT_GONE);
  refuseQuestions(member, all);
  const unwatched = watched.filter((uri) => !isSubscribedElsewhere(uri, member, all));
  const link = all.links.running();
  if (!link) return;
  for (const uri of unwatched) request("resources/unsubscribe", { uri }, link);
  if (member.logLevel !== undefined) restoreLevel(link, all);
}

/** Answers all requests of a process, or all of the session, and forgets the questions that it has asked. */
export function loseLink(link: Link | undefined, error: MayflyError, all: SessionState): void {
  forgetQuestions(link, all);
  forgetAllAbandoned(link, all);
  for (const pending of all.pending.values()) {
    if (link !== undefined && pending.link !== link) continue;
    pending.cancel?.();
    failRequest(pending, error, all);
  }
}

/** Tells a fresh process what the one before knew. Its answers are for nobody. */
export function restore(link: Link, all: SessionState): void {
  const uris = new Set([...all.members].flatMap(({ subscriptions }) => Array.from(subscriptions.keys())));
  for (const uri of uris) request("resources/subscribe", { uri }, link);
  restoreLevel(link, all);
}

function restoreLevel(link: Link, all: SessionState): void {
  const level = effectiveLevel(all);
  if (level !== undefined) request("logging/setLevel", { level }, link);
}

/** A request of our own. */
function request(method: string, params: object, { send }: Link): void {
  send(requestText(ownId(), method, JSON.stringify(params)));
}
