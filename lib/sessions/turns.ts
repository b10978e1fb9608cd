import { MayflyError, errorText } from "../errors.ts";
import { namesOf } from "../exchange/names.ts";
import type { Outcome } from "../exchange/order.ts";
import { progressToken } from "../exchange/turns.ts";
import { idOf, isObject } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import { MAX_TIMER_MS } from "../promises.ts";
import { abandonTurn } from "./abandoned.ts";
import { noteOutcome } from "./subscriptions.ts";
import type { Seat, SessionState, Turn } from "./state.ts";

/** Requests of the clients of a session, from the first to the last thing that happens to them. */

/** Registers a request. */
export function beginTurn(request: Message<RequestValue>, seat: Seat, all: SessionState): Turn {
  const clientId = idOf(request);
  all.lastId += 1;
  all.characters += request.text.length;
  const turn: Turn = {
    seat,
    request,
    id: all.lastId,
    clientId,
    clientToken: progressTokenOf(request.value) === undefined ? undefined : progressToken(request.text),
    startedAt: performance.now(),
    link: undefined,
    cancel: undefined,
    stopTimer: () => undefined,
  };
  all.turns.set(turn.id, turn);
  seat.turns.set(clientId, turn);
  return turn;
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
const MAX_TURNS = 20_000;
const MAX_CHARACTERS = 64 * 1024 ** 2;

/** Whether there is no room for another request. */
export function isFull(
  request: Message<RequestValue>,
  { turns, abandoned, characters }: SessionState,
): boolean {
  return turns.size + abandoned.size >= MAX_TURNS || characters + request.text.length > MAX_CHARACTERS;
}

/** Whether nobody has answered or cancelled it meanwhile. */
export function isOpen({ id }: Turn, { turns }: SessionState): boolean {
  return turns.has(id);
}

/**
 * Answers a request, which is over with that.
 * @param text the answer; undefined if the client does not want one any more
 */
export function endTurn(turn: Turn, text: string | undefined, outcome: Outcome, all: SessionState): void {
  const { seat, request, link, startedAt, clientId } = turn;
  if (!all.turns.delete(turn.id)) return;
  all.characters -= request.text.length;
  seat.turns.delete(clientId);
  turn.stopTimer();
  noteOutcome(request, seat, outcome === "ok");
  seat.client.settle(request, text);
  const durationMs = Math.round(performance.now() - startedAt);
  // What ran on a process of its own has its own line.
  if (!turn.cancel) {
    all.logger.info({ server: all.server.name, ...namesOf([request]), durationMs, outcome }, "request");
  }
  if (link) all.links.noteEnd(link);
  if (all.turns.size === 0) all.onIdle();
}

/** Answers a request with an error of ours. */
export function failTurn(turn: Turn, error: MayflyError, all: SessionState): void {
  endTurn(turn, errorText(error, turn.clientId), error.reason ?? "error", all);
}

/** Ends a request whose client does not wait any more. Source: 2025-11-25/basic/utilities/cancellation. */
export function cancelTurn(turn: Turn, all: SessionState, reason: string): void {
  turn.cancel?.();
  abandonTurn(turn, reason, all);
  endTurn(turn, undefined, "client_gone", all);
}

/** Lets the time for a request run, from its beginning. */
export function limitTurn(turn: Turn, all: SessionState): void {
  turn.stopTimer();
  const limit = all.server.requestTimeoutMs;
  const timer = setTimeout(expire, Math.min(limit, MAX_TIMER_MS), turn, limit, all);
  turn.stopTimer = () => clearTimeout(timer);
}

function expire(turn: Turn, limit: number, all: SessionState): void {
  const values = { server: all.server.name, method: shortened(turn.request.value.method), limit };
  const error = new MayflyError("REQUEST_TIMEOUT", { values });
  abandonTurn(turn, error.message, all);
  failTurn(turn, error, all);
}
