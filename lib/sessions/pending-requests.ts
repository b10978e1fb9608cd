import { MayflyError, errorText } from "../errors.ts";
import { namesOf } from "../exchange/names.ts";
import type { Outcome } from "../exchange/order.ts";
import { progressToken } from "../exchange/turns.ts";
import { idOf, isObject } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import { MAX_TIMER_MS } from "../promises.ts";
import { abandonRequest } from "./abandoned.ts";
import { noteOutcome } from "./subscriptions.ts";
import type { Member, SessionState, PendingRequest } from "./state.ts";

/** Requests of the clients of a session, from the first to the last thing that happens to them. */

/** Registers a request. */
export function beginRequest(
  request: Message<RequestValue>,
  member: Member,
  all: SessionState,
): PendingRequest {
  const clientId = idOf(request);
  all.lastId += 1;
  all.characters += request.text.length;
  const pending: PendingRequest = {
    member,
    request,
    id: all.lastId,
    clientId,
    clientToken: progressTokenOf(request.value) === undefined ? undefined : progressToken(request.text),
    startedAt: performance.now(),
    link: undefined,
    cancel: undefined,
    stopTimer: () => undefined,
  };
  all.pending.set(pending.id, pending);
  member.pending.set(clientId, pending);
  return pending;
}

/** The token under which the sender of a request wants to hear of its progress. */
export function progressTokenOf({ params }: RequestValue): unknown {
  const meta = params?.["_meta"];
  return isObject(meta) ? meta["progressToken"] : undefined;
}

/**
 * Requests of a session that may be in flight at once, with those that are cancelled and that the server may still work
 * on; and characters of them all.
 */
const MAX_REQUESTS = 20_000;
const MAX_CHARACTERS = 64 * 1024 ** 2;

/** Whether there is no room for another request. */
export function isFull(
  request: Message<RequestValue>,
  { pending, abandoned, characters }: SessionState,
): boolean {
  return pending.size + abandoned.size >= MAX_REQUESTS || characters + request.text.length > MAX_CHARACTERS;
}

/** Whether nobody has answered or cancelled it meanwhile. */
export function isOpen({ id }: PendingRequest, { pending }: SessionState): boolean {
  return pending.has(id);
}

/**
 * Answers a request, which is over with that.
 * @param text the answer; undefined if the client does not want one any more
 */
export function endRequest(
  pending: PendingRequest,
  text: string | undefined,
  outcome: Outcome,
  all: SessionState,
): void {
  const { member, request, link, startedAt, clientId } = pending;
  if (!all.pending.delete(pending.id)) return;
  all.characters -= request.text.length;
  member.pending.delete(clientId);
  pending.stopTimer();
  noteOutcome(request, member, outcome === "ok");
  member.client.settle(request, text);
  const durationMs = Math.round(performance.now() - startedAt);
  // What ran on a process of its own has its own line.
  if (!pending.cancel) {
    all.logger.info({ server: all.server.name, ...namesOf([request]), durationMs, outcome }, "request");
  }
  if (link) all.links.noteEnd(link);
  if (all.pending.size === 0) all.onIdle();
}

/** Answers a request with an error of ours. */
export function failRequest(pending: PendingRequest, error: MayflyError, all: SessionState): void {
  endRequest(pending, errorText(error, pending.clientId), error.reason ?? "error", all);
}

/** Ends a request whose client does not wait any more. Source: 2025-11-25/basic/utilities/cancellation. */
export function cancelRequest(pending: PendingRequest, all: SessionState, reason: string): void {
  pending.cancel?.();
  abandonRequest(pending, reason, all);
  endRequest(pending, undefined, "client_gone", all);
}

/** Lets the time for a request run, from its beginning. */
export function limitRequest(pending: PendingRequest, all: SessionState): void {
  pending.stopTimer();
  const limit = all.server.requestTimeoutMs;
  const timer = setTimeout(expire, Math.min(limit, MAX_TIMER_MS), pending, limit, all);
  pending.stopTimer = () => clearTimeout(timer);
}

function expire(pending: PendingRequest, limit: number, all: SessionState): void {
  const values = { server: all.server.name, method: shortened(pending.request.value.method), limit };
  const error = new MayflyError("REQUEST_TIMEOUT", { values });
  abandonRequest(pending, error.message, all);
  failRequest(pending, error, all);
}
