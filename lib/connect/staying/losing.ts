import { MayflyError } from "../../errors.ts";
import { cancelledText } from "../../exchange/endings.ts";
import { messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { shortened } from "../../logger.ts";
import { reasonOf, tellDown } from "./outage-log.ts";
import { answer, forget } from "./stay.ts";
import type { Generation, Stay } from "./stay.ts";

/** Milliseconds after which a session was of use, so that the next one may be opened at once. */
const USEFUL_MS = 5000;

/** The session is over: whatever belonged to it is, and another one is opened. */
export function lose(generation: Generation, error: MayflyError, all: Stay): void {
  generation.lost = error;
  forget(generation, all);
  all.own.clear();
  withdrawQuestions(all);
  // Whoever is opening it sees that it is over.
  if (!generation.session) return;
  const livedMs = performance.now() - generation.startedAt;
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
