import { MayflyError, toMayflyError } from "../../errors.ts";
import { ownId } from "../../exchange/conversation.ts";
import { isObject, isRequest, messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { setMember } from "../../rawjson.ts";
import { createPauses, pauseAfter } from "../backoff.ts";
import type { Pauses } from "../backoff.ts";
import { limited } from "../limited.ts";
import { keyOf } from "../messages.ts";
import { InitializeRefused } from "../remote.ts";
import type { RemoteSession, SessionEvents } from "../remote.ts";
import {
  answer,
  eventsOf,
  forget,
  newVisit,
  reasonOf,
  tellDown,
  tellUp,
  withdrawQuestions,
} from "./visits.ts";
import type { Stay, Visit } from "./visits.ts";

/** Opens a session. @throws InitializeRefused, MayflyError, the reason of the signal */
export type OpenSession = (
  initialize: Message<RequestValue>,
  events: SessionEvents,
  signal: AbortSignal,
) => Promise<RemoteSession>;

/** Opens sessions one after another, each as the one before was. */
export interface Reopening {
  /** The first session. @throws what opening it throws */
  open(signal: AbortSignal): Promise<RemoteSession>;
  /** Opens another one, in the background. */
  start(): void;
  /** Somebody waits for it: the next attempt is made within a second of the last one. */
  hurry(): void;
  /** What keeps the remote away. */
  trouble(): MayflyError;
  /** Resolves when nothing is going on any more. */
  ended(): Promise<void>;
}

/** Milliseconds for one attempt. */
const OPEN_LIMIT_MS = 30_000;

/** What the loop knows. */
interface Loop {
  readonly all: Stay;
  readonly open: OpenSession;
  readonly initialize: Message<RequestValue>;
  readonly naps: Pauses;
  trouble: MayflyError | undefined;
  running: Promise<void>;
}

export function createReopening(all: Stay, open: OpenSession, initialize: Message<RequestValue>): Reopening {
  const loop: Loop = {
    all,
    open,
    initialize,
    naps: createPauses(),
    trouble: undefined,
    running: Promise.resolve(),
  };
  return {
    async open(signal) {
      all.session = await enter(initialize, signal, loop);
      return all.session;
    },
    start() {
      loop.running = reopen(loop);
    },
    hurry: () => loop.naps.hurry(),
    trouble: () => loop.trouble ?? unreachable("its session is being opened again"),
    ended: () => loop.running,
  };
}

/** Never rejects. */
async function reopen(loop: Loop): Promise<void> {
  const { all } = loop;
  const { signal } = all.life;
  while (!signal.aborted) {
    await nap(loop);
    if (signal.aborted) return;
    try {
      return await reopenOnce(loop);
    } catch (error) {
      if (signal.aborted) return;
      all.failures += 1;
      withdrawQuestions(all);
      noteTrouble(error, loop);
    }
  }
}

/** @throws what opening it throws, and what keeps it from being told anything */
async function reopenOnce(loop: Loop): Promise<void> {
  const { all } = loop;
  const session = await enterAgain(loop);
  const { visit } = all;
  try {
    await restore(session, visit, all);
  } catch (error) {
    // Then another one is being opened already.
    if (visit.lost) return;
    visit.lost = toMayflyError(error);
    forget(visit, all);
    // Never rejects, and is bounded.
    void session.close();
    throw error;
  }
}

/** None after the first failure: a server may be started anew. */
async function nap(loop: Loop): Promise<void> {
  const { failures, life, waiting } = loop.all;
  if (failures <= 1) return;
  const isAwaited = waiting.all().length > 0;
  await loop.naps.take(pauseAfter(failures - 1), life.signal, { isAwaited });
}

/** With the same handshake, under an id of our own: the client's own may be in use for something else by now. */
function enterAgain(loop: Loop): Promise<RemoteSession> {
  const initialize = messageOf<RequestValue>(setMember(loop.initialize.text, "id", JSON.stringify(ownId())));
  const late = unreachable(`no answer to initialize within ${OPEN_LIMIT_MS} milliseconds`);
  const { signal } = loop.all.life;
  return limited(signal, { ms: OPEN_LIMIT_MS, late }, (limit) => enter(initialize, limit, loop));
}

async function enter(
  initialize: Message<RequestValue>,
  signal: AbortSignal,
  loop: Loop,
): Promise<RemoteSession> {
  const { all } = loop;
  const visit: Visit = newVisit();
  all.visit = visit;
  const session = await loop.open(initialize, eventsOf(visit, all), signal);
  // It may have been lost in the meantime, and the client may have gone.
  if (visit.lost ?? signal.aborted) {
    await session.close();
    throw visit.lost ?? toMayflyError(signal.reason);
  }
  visit.session = session;
  return session;
}

/** The next requests are told why; those that wait are told at once what no waiting will change. */
function noteTrouble(error: unknown, loop: Loop): void {
  const { all } = loop;
  const failure = error instanceof InitializeRefused ? error.failure : toMayflyError(error);
  const isFinal = failure.code === "REMOTE_UNAUTHORIZED" || failure.code === "REMOTE_WANTS_OAUTH";
  const isSaid = isFinal || failure.code === "REMOTE_UNREACHABLE";
  loop.trouble = isSaid ? failure : unreachable(`its session cannot be opened again: ${reasonOf(failure)}`);
  all.logger.debug({ error: failure.message }, "The remote server could not be reached");
  tellDown(reasonOf(failure), all);
  if (!isFinal) return;
  for (const message of all.waiting.takeAll()) if (isRequest(message)) answer(message, failure, all);
}

function unreachable(detail: string): MayflyError {
  return new MayflyError("REMOTE_UNREACHABLE", { values: { detail } });
}

/**
 * Tells a new session what the one before knew, and the client what it may have missed. What the client sends meanwhile
 * waits, and comes after it in its order.
 */
async function restore(session: RemoteSession, visit: Visit, all: Stay): Promise<void> {
  warnOfOtherRevision(session, all);
  await beginAgain(session, all);
  for (const text of all.wishes.requests()) {
    if (visit.isForgotten) return;
    await askOwn(text, session, all);
  }
  if (visit.isForgotten) return;
  tellUp(all);
  // Never rejects.
  for (const text of all.wishes.changes(session.answer)) void all.hear(messageOf(text), undefined);
  for (let next = all.waiting.next(); next; next = all.waiting.next()) {
    await deliver(next, session, all);
    if (visit.isForgotten) return;
  }
  all.session = session;
}

/** Before the client has said so itself, nobody does. @throws REMOTE_UNREACHABLE, REMOTE_LOST */
async function beginAgain(session: RemoteSession, { initialized, visit, logger }: Stay): Promise<void> {
  try {
    if (initialized) await session.send(initialized);
  } catch (error) {
    const { code, message } = toMayflyError(error);
    // That it is lost, it tells itself.
    if (visit.isForgotten || code === "REMOTE_SESSION_LOST") return;
    if (code === "REMOTE_UNREACHABLE" || code === "REMOTE_LOST") throw error;
    logger.debug({ error: message }, "The remote server did not take a message");
  }
}

/** Sends a request of our own, whose answer is for nobody. */
export async function askOwn(text: string, session: RemoteSession, all: Stay): Promise<void> {
  const request = messageOf<RequestValue>(text);
  all.own.set(keyOf(request), request);
  await deliver(request, session, all);
}

/** Sends a message. Never rejects. */
export async function deliver(message: Message, session: RemoteSession, all: Stay): Promise<void> {
  try {
    await session.send(message);
  } catch (error) {
    if (all.life.signal.aborted) return;
    const failure = toMayflyError(error);
    const { code, message: text } = failure;
    const method = "method" in message.value ? message.value.method : "a response";
    all.logger.debug({ method, error: text }, "The remote server did not take a message");
    if (code === "REMOTE_UNREACHABLE") tellDown(reasonOf(failure), all);
    if (code !== "REMOTE_SESSION_LOST") return;
    if (session === all.visit.session) forget(all.visit, all);
    // The next session is told by itself what has begun; a response is for this one only.
    const isForNext = message !== all.initialized && "method" in message.value;
    if (!isForNext || all.repeated.has(message)) return;
    all.repeated.add(message);
    all.waiting.add(message);
  }
}

function warnOfOtherRevision({ answer }: RemoteSession, { logger, revision }: Stay): void {
  const now = isObject(answer.value.result) ? answer.value.result["protocolVersion"] : undefined;
  if (now === revision) return;
  logger.warn({ before: revision, now }, "The remote server speaks another protocol revision than before");
}
