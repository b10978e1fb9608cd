import type { MayflyError } from "../../errors.ts";
import { isRequest, isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { isCancelling, keyOf } from "../messages.ts";
import type { SessionEvents } from "../remote.ts";
import { lose } from "./losing.ts";
import { reasonOf, tellBack, tellDown } from "./outage-log.ts";
import { answer, forget } from "./stay.ts";
import type { Generation, Stay } from "./stay.ts";

/** What a session tells, for as long as it is the newest one and has not been lost. */
export function eventsOf(generation: Generation, all: Stay): SessionEvents {
  const isOver = (): boolean =>
    generation.lost !== undefined || all.generation !== generation || all.life.signal.aborted;
  return {
    message: (message, about) => (isOver() ? undefined : receive(message, about, all)),
    failed(request, error) {
      if (!isOver()) fail(request, error, generation, all);
    },
    lost(error) {
      if (!isOver()) lose(generation, error, all);
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
  all.standing.note(request, message);
  return all.hear(message, about);
}

/** The answer to a request will not come from this session. */
function fail(request: Message<RequestValue>, error: MayflyError, generation: Generation, all: Stay): void {
  if (error.code === "REMOTE_SESSION_LOST") forget(generation, all);
  if (failOwn(request, error, all) || all.pending.get(keyOf(request)) !== request) return;
  if (error.code === "REMOTE_UNREACHABLE") tellDown(reasonOf(error), all);
  // It was not carried out, so it may be sent once more: to the session that comes after this one.
  const isForNext = error.code === "REMOTE_SESSION_LOST" && !all.repeated.has(request);
  if (isForNext && all.waiting.add(request)) all.repeated.add(request);
  else answer(request, error, all);
}

function failOwn(request: Message<RequestValue>, error: MayflyError, { own, pings, logger }: Stay): boolean {
  const wasOwn = own.delete(keyOf(request));
  // A refusal is an answer too: somebody is there.
  if (wasOwn && error.code === "REMOTE_REFUSED") pings.heard();
  if (wasOwn)
    logger.debug({ method: request.value.method, error: error.message }, "The remote server refused");
  return wasOwn;
}
