import { idOf, isObject, isRequest } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { MayflyError } from "../../errors.ts";
import { deferred } from "../../promises.ts";
import { shortened } from "../../logger.ts";
import { isSuccess } from "../wire/answers.ts";
import { detailOf, readRefusal } from "../wire/refusals.ts";
import type { Asked, Refusal } from "../wire/refusals.ts";
import type { HttpAnswer } from "../wire/http.ts";
import { InitializeRefused } from "../remote.ts";
import type { RemoteTarget, SessionEvents } from "../remote.ts";

/** HTTP requests of one session, which end with it. */

/** The answer was no success. */
export class HttpRefused extends Error {
  override readonly name = "HttpRefused";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.failure.message);
    this.refusal = refusal;
  }
}

/** @throws HttpRefused, the reason of the signal */
export async function checkAccepted(
  answer: HttpAnswer,
  asked: Asked,
  target: RemoteTarget,
  signal: AbortSignal,
): Promise<void> {
  if (!isSuccess(answer)) throw new HttpRefused(await readRefusal(answer, asked, target, signal));
}

/** What is asked with a message, as {@link checkAccepted} wants it. */
export function askedBy(message: Message): Asked {
  const method = nameOf(message);
  return isRequest(message) ? { method, id: idOf(message) } : { method };
}

export function nameOf({ value }: Message): string {
  return "method" in value ? shortened(value.method) : "a response";
}

/** A request of the client on its way. */
export interface Post {
  readonly controller: AbortController;
  /** The body has been written, or never will be. */
  readonly written: ReturnType<typeof deferred<void>>;
  /** The remote has taken it, or has not. */
  readonly taken: ReturnType<typeof deferred<void>>;
  isAnswered: boolean;
}

export function newPost(controller: AbortController): Post {
  return { controller, written: deferred(), taken: deferred(), isAnswered: false };
}

/**
 * Runs something that the end of the session ends. Not with one signal for all: what listens to a signal that lives as
 * long as the session would have to be taken off it again by everybody.
 */
export async function during<Value>(
  running: Set<AbortController>,
  run: (controller: AbortController) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController();
  running.add(controller);
  try {
    return await run(controller);
  } finally {
    running.delete(controller);
  }
}

export function abortAll(running: Set<AbortController>, reason?: unknown): void {
  for (const controller of running) controller.abort(reason);
}

/** Messages before the answer to initialize; more of them are left out. */
const MAX_EARLY = 100;

/**
 * Hands on what a remote says before the session is open. Nobody waits for it to be heard: whoever hears may wait for
 * the session.
 */
export function earlyTo(events: SessionEvents): (message: Message, about?: Message<RequestValue>) => void {
  let heard = 0;
  return (message, about) => {
    heard += 1;
    // Does not throw.
    if (heard <= MAX_EARLY) void events.message(message, about);
  };
}

/** What else than a session came of initialize, for whoever decides what to try next. */
export function toInitializeRefused({
  refusal: { status, message, failure },
}: HttpRefused): InitializeRefused {
  return new InitializeRefused(status, message, failure);
}

/** @throws InitializeRefused for an answer that opens no session */
export function checkInitialized(
  answer: Message<ResponseValue>,
  status: number,
  { http }: RemoteTarget,
): void {
  const { result, error } = answer.value;
  if (isObject(result)) return;
  const said = isObject(error) && typeof error["message"] === "string" ? error["message"] : "";
  const values = { method: "initialize", status, detail: detailOf(said, http) };
  throw new InitializeRefused(status, answer, new MayflyError("REMOTE_REFUSED", { values }));
}

export function isAnswerTo(request: Message<RequestValue>, message: Message): boolean {
  return !("method" in message.value) && message.value.id === request.value.id;
}
