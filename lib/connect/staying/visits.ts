import { MayflyError, errorText } from "../../errors.ts";
import { cancelledText } from "../../exchange/endings.ts";
import { idOf, isRequest, isResponse, messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { shortened } from "../../logger.ts";
import type { Logger } from "../../logger.ts";
import { isCancelling, keyOf } from "../messages.ts";
import type { Pings } from "./pings.ts";
import type { Questions } from "./questions.ts";
import type { RemoteSession, SessionEvents } from "../remote.ts";
import type { Waiting } from "./waiting.ts";
import type { Wishes } from "./wishes.ts";

/** One session of a remote that stays, from the first try to open it until it is lost. */
export interface Visit {
  /** Undefined until it is open. */
  session: RemoteSession | undefined;
  /** Why it is over. */
  lost: MayflyError | undefined;
  /** Whether it takes nothing any more: its end is about to be told. */
  isForgotten: boolean;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
}

/** What the parts of a remote that stays share. */
export interface Stay {
  readonly name: string;
  readonly logger: Logger;
  readonly hear: (message: Message, about: Message<RequestValue> | undefined) => Promise<void> | void;
  /** Ends with the whole. */
  readonly life: AbortController;
  /** Requests of the client that have no answer, by their ids. */
  readonly pending: Map<string, Message<RequestValue>>;
  /** Of them, those that were sent a second time. */
  readonly repeated: WeakSet<Message>;
  readonly waiting: Waiting;
  /** Requests of our own that have no answer, by their ids. */
  readonly own: Map<string, Message<RequestValue>>;
  readonly questions: Questions;
  readonly wishes: Wishes;
  readonly pings: Pings;
  readonly reopen: () => void;
  /** The protocolVersion of the first session, which the client knows. */
  revision: unknown;
  /** The newest one. */
  visit: Visit;
  /** Takes what the client sends: open, and told all that the one before knew. */
  session: RemoteSession | undefined;
  /** The client's `notifications/initialized`. */
  initialized: Message | undefined;
  /** Sessions, or attempts to open one, that were of no use, in a row. */
  failures: number;
  /** When the log said that the remote is gone, on the clock of `performance.now()`; undefined while it is there. */
  downSince: number | undefined;
}

export function newVisit(): Visit {
  return { session: undefined, lost: undefined, isForgotten: false, startedAt: performance.now() };
}

/** What a session tells, for as long as it is the newest one and has not been lost. */
export function eventsOf(visit: Visit, all: Stay): SessionEvents {
  const isOver = (): boolean => visit.lost !== undefined || all.visit !== visit || all.life.signal.aborted;
  return {
    message: (message, about) => (isOver() ? undefined : receive(message, about, all)),
    failed(request, error) {
      if (!isOver()) fail(request, error, visit, all);
    },
    lost(error) {
      if (!isOver()) leave(visit, error, all);
    },
  };
}

function receive(
  message: Message,
  about: Message<RequestValue> | undefined,
  all: Stay,
): Promise<void> | void {
  all.pings.heard();
  // An open session that says anything is there again; one that is being opened is told of when it is open.
  if (all.session) tellBack(all);
  if (isRequest(message)) return all.hear(all.questions.ask(message), about);
  if (isResponse(message)) return receiveAnswer(message, about, all);
  return all.hear(isCancelling(message) ? all.questions.cancel(message) : message, about);
}

function receiveAnswer(
  message: Message<ResponseValue>,
  about: Message<RequestValue> | undefined,
  all: Stay,
): Promise<void> | void {
  const key = keyOf(message);
  if (all.own.delete(key)) return undefined;
  const request = all.pending.get(key);
  if (!request)
    return all.logger.debug({}, "The remote server answered what nobody waits for: it is left out");
  all.pending.delete(key);
  all.wishes.note(request, message);
  return all.hear(message, about);
}

/** The answer to a request will not come from this session. */
function fail(request: Message<RequestValue>, error: MayflyError, visit: Visit, all: Stay): void {
  if (error.code === "REMOTE_SESSION_LOST") forget(visit, all);
  if (failOwn(request, error, all) || all.pending.get(keyOf(request)) !== request) return;
  if (error.code === "REMOTE_UNREACHABLE") tellDown(reasonOf(error), all);
  // It was not carried out, so it may be sent once more: to the session that comes after this one.
  const isForNext = error.code === "REMOTE_SESSION_LOST" && !all.repeated.has(request);
  if (isForNext && all.waiting.add(request)) all.repeated.add(request);
  else answer(request, error, all);
}

/** What would be sent to it now would not be carried out, and waits for the next one. */
export function forget(visit: Visit, all: Stay): void {
  visit.isForgotten = true;
  if (visit === all.visit) all.session = undefined;
}

function failOwn(request: Message<RequestValue>, error: MayflyError, { own, pings, logger }: Stay): boolean {
  const wasOwn = own.delete(keyOf(request));
  // A refusal is an answer too: somebody is there.
  if (wasOwn && error.code === "REMOTE_REFUSED") pings.heard();
  if (wasOwn)
    logger.debug({ method: request.value.method, error: error.message }, "The remote server refused");
  return wasOwn;
}

/** Answers a request of the client with an error of ours. */
export function answer(request: Message<RequestValue>, error: MayflyError, all: Stay): void {
  const key = keyOf(request);
  if (all.pending.get(key) === request) all.pending.delete(key);
  // Never rejects, and nothing comes after it that would have to wait.
  void all.hear(messageOf(errorText(error, idOf(request))), undefined);
}

/** Milliseconds after which a session was of use, so that the next one may be opened at once. */
const USEFUL_MS = 5000;

/** The session is over: whatever belonged to it is, and another one is opened. */
export function leave(visit: Visit, error: MayflyError, all: Stay): void {
  visit.lost = error;
  forget(visit, all);
  all.own.clear();
  withdrawQuestions(all);
  // Whoever is opening it sees that it is over.
  if (!visit.session) return;
  const livedMs = performance.now() - visit.startedAt;
  all.failures = livedMs >= USEFUL_MS ? 1 : all.failures + 1;
  tellDown(reasonOf(error), all);
  const waiting = new Set(all.waiting.all());
  for (const request of [...all.pending.values()]) {
    if (!waiting.has(request)) answer(request, lostWith(error, request), all);
  }
  all.reopen();
}

/** The client need not answer what a session has asked that is not there any more. */
export function withdrawQuestions({ questions, hear }: Stay): void {
  const ids = questions.withdraw();
  // Never rejects. They are as many as the client has dialogs open.
  for (const id of ids) void hear(messageOf(cancelledText(id, "The remote server has gone")), undefined);
}

function lostWith(error: MayflyError, { value }: Message<RequestValue>): MayflyError {
  const values = { detail: reasonOf(error), method: shortened(value.method) };
  return new MayflyError("REMOTE_LOST", { values, cause: error });
}

/** Why a remote is away, in a few words: an error is a whole sentence, and has the reason in it in parentheses. */
export function reasonOf({ code, message }: MayflyError): string {
  if (code === "REMOTE_SESSION_LOST") return "it has forgotten the session";
  const isAbout = code === "REMOTE_LOST" || code === "REMOTE_UNREACHABLE";
  return (isAbout && /\((.*)\)/.exec(message)?.[1]) || message;
}

/** One line when it goes, and one when it is back, however many attempts lie between. */
export function tellDown(reason: string, all: Stay): void {
  if (all.downSince !== undefined) return;
  all.downSince = performance.now();
  all.logger.warn({}, `The remote server ${all.name} is lost (${reason}): Mayfly keeps trying`);
}

/** Milliseconds in which a server that is being stopped may still answer on connections that it has. */
const STOPPING_MS = 1000;

function tellBack(all: Stay): void {
  if (performance.now() - (all.downSince ?? 0) >= STOPPING_MS) tellUp(all);
}

export function tellUp(all: Stay): void {
  if (all.downSince === undefined) return;
  all.downSince = undefined;
  all.logger.info({}, `The remote server ${all.name} is back`);
}
