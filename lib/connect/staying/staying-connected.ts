import { MayflyError } from "../../errors.ts";
import { requestText } from "../../eras/request-down.ts";
import { ownId } from "../../exchange/conversation.ts";
import { isNotification, isObject, isRequest, isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { onAbort } from "../../lifetime.ts";
import type { Logger } from "../../logger.ts";
import { once } from "../../promises.ts";
import { cancelledBy, isCancelling, keyOf } from "../messages.ts";
import { startPings } from "./pings.ts";
import { createQuestions } from "./questions.ts";
import type { LegacyRemote } from "../remote.ts";
import { askOwn, deliver } from "./delivering.ts";
import { createReopening } from "./reopening.ts";
import type { OpenSession, Reopening } from "./reopening.ts";
import { lose } from "./losing.ts";
import { answer, newGeneration } from "./stay.ts";
import type { Stay } from "./stay.ts";
import { MAX_WAITING, createWaiting } from "./waiting.ts";
import { createStandingRequests } from "./standing-requests.ts";

export interface StayOptions {
  /** How a session is opened: the first one, and every other one with the same handshake. */
  readonly open: OpenSession;
  /** As the client wrote it. */
  readonly initialize: Message<RequestValue>;
  /**
   * Takes every message for the client: those of the remote, answers of ours in its place, and the withdrawal of what a
   * lost session had asked. May be called before the first session is open.
   * @param about the request on whose own stream it came, where it has one
   * @returns when there is room for the next one; must not reject
   */
  readonly hear: (message: Message, about: Message<RequestValue> | undefined) => Promise<void> | void;
  /** The remote as the log calls it: origin and path, and never what is secret. */
  readonly name: string;
  readonly logger: Logger;
  /** Milliseconds of silence before a ping; 0 sends none. @default 10000 */
  readonly pingIntervalMs?: number | undefined;
  /** Milliseconds that a message waits for a session that is being opened again. @default 5000 */
  readonly waitMs?: number | undefined;
}

const PING_INTERVAL_MS = 10_000;
const WAIT_MS = 5000;
/** Requests of a client that may be in flight at once; one more is answered with an error. */
const MAX_PENDING = 10_000;

/**
 * A remote of the older revisions that stays: one session after another behind one face. What a lost session may have
 * carried out is answered with an error, and never sent again.
 * @param signal ends the opening of the first session
 * @throws what opening the first session throws
 */
export async function stayConnected(options: StayOptions, signal: AbortSignal): Promise<LegacyRemote> {
  const { all, reopening } = begin(options);
  const close = once(() => end(all, reopening));
  const off = onAbort(signal, () => all.life.abort(signal.reason));
  try {
    const session = await reopening.open(all.life.signal);
    all.revision = isObject(session.answer.value.result) && session.answer.value.result["protocolVersion"];
    return {
      era: "legacy",
      answer: session.answer,
      send: (message) => send(message, all, reopening),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  } finally {
    off();
  }
}

function begin(options: StayOptions): { readonly all: Stay; readonly reopening: Reopening } {
  const { initialize, open, hear, name, logger } = options;
  const { pingIntervalMs: intervalMs = PING_INTERVAL_MS, waitMs = WAIT_MS } = options;
  const all: Stay = {
    ...{ name, logger, hear },
    ...{ life: new AbortController(), pending: new Map(), repeated: new WeakSet(), own: new Map() },
    waiting: createWaiting(waitMs, (message) => expire(message, all, reopening)),
    questions: createQuestions(),
    standing: createStandingRequests(),
    pings: startPings({
      intervalMs,
      isWanted: () => all.session?.isKept() ?? false,
      isBusy: () => all.pending.size > 0,
      ping: () => ping(all),
      lost: () => loseSilent(all),
    }),
    reopen: () => reopening.start(),
    generation: newGeneration(),
    ...{ session: undefined, initialized: undefined, revision: undefined, failures: 0, downSince: undefined },
  };
  const reopening = createReopening(all, open, initialize);
  return { all, reopening };
}

/** Never rejects. */
async function send(message: Message, all: Stay, reopening: Reopening): Promise<void> {
  if (all.life.signal.aborted) return;
  if (isRequest(message)) return sendRequest(message, all, reopening);
  if (isResponse(message)) return sendAnswer(message, all, reopening);
  if (isCancelling(message)) return cancel(message, all);
  if (isNotification(message) && message.value.method === "notifications/initialized")
    all.initialized = message;
  return forward(message, all, reopening);
}

async function sendRequest(message: Message<RequestValue>, all: Stay, reopening: Reopening): Promise<void> {
  const key = keyOf(message);
  if (all.pending.has(key)) return answer(message, new MayflyError("ID_IN_USE"), all);
  if (all.pending.size >= MAX_PENDING) return answer(message, tooMany(MAX_PENDING), all);
  all.pending.set(key, message);
  return forward(message, all, reopening);
}

async function sendAnswer(message: Message<ResponseValue>, all: Stay, reopening: Reopening): Promise<void> {
  const asked = all.questions.answer(message);
  if (asked) return forward(asked, all, reopening);
  all.logger.debug({}, "The client answered what nobody asks any more: it is left out");
}

async function forward(message: Message, all: Stay, reopening: Reopening): Promise<void> {
  if (all.session) return deliver(message, all.session, all);
  // Whoever restores the session says that first.
  if (message === all.initialized) return;
  reopening.hurry();
  if (!all.waiting.add(message) && isRequest(message)) answer(message, tooMany(MAX_WAITING), all);
}

/**
 * The client does not want an answer any more, and gets none. What waits is not sent at all.
 * Source: 2025-11-25/basic/utilities/cancellation.
 */
async function cancel(message: Message, all: Stay): Promise<void> {
  const key = cancelledBy(message) ?? "";
  const request = all.pending.get(key);
  all.pending.delete(key);
  if (request && all.waiting.remove(request)) return;
  const { session } = all.generation;
  if (!session || all.generation.lost) return;
  await deliver(message, session, all);
  if (request) session.abandon(request);
}

/** It has waited long enough for a session. */
function expire(message: Message, all: Stay, reopening: Reopening): void {
  if (isRequest(message)) answer(message, reopening.trouble(), all);
  else all.logger.debug({}, "A message of the client waited too long for the remote server: it is left out");
}

function tooMany(limit: number): MayflyError {
  const values = { detail: `${limit} messages wait for it already` };
  return new MayflyError("REMOTE_UNREACHABLE", { values });
}

function ping(all: Stay): void {
  // Never rejects; what comes of it is heard.
  if (all.session) void askOwn(requestText(ownId(), "ping", "{}"), all.session, all);
}

function loseSilent(all: Stay): void {
  const { generation } = all;
  const values = { detail: "it does not answer pings", method: "ping" };
  const { session } = generation;
  lose(generation, new MayflyError("REMOTE_LOST", { values }), all);
  // Bounded; the next session does not wait for it.
  void session?.close();
}

async function end(all: Stay, reopening: Reopening): Promise<void> {
  all.life.abort();
  all.pings.stop();
  all.waiting.takeAll();
  all.pending.clear();
  all.own.clear();
  all.session = undefined;
  await Promise.all([all.generation.session?.close(), reopening.ended()]);
}
