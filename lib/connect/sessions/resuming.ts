import { MAX_TIMER_MS } from "../../promises.ts";
import { isEventStream, isSuccess, messagesIn } from "../wire/answers.ts";
import { readRefusal } from "../wire/refusals.ts";
import type { Received } from "../wire/answers.ts";
import { pause, pauseAfter } from "../backoff.ts";
import { HttpRefused } from "./exchanges.ts";
import type { HttpAnswer } from "../wire/http.ts";
import type { Message } from "../../jsonrpc.ts";
import { toMayflyError } from "../../errors.ts";
import { forget, headersOf, saysForgotten } from "./session-state.ts";
import type { Streamable } from "./session-state.ts";

/**
 * Where a stream can be gone on with, and when.
 * Source: 2025-11-25/basic/transports, Resumability and Redelivery.
 */
export interface ResumePoint {
  /** Of the last event; undefined if there is no going on. */
  id: string | undefined;
  retryMs: number | undefined;
  /** Attempts, or connections that brought nothing, in a row. */
  failures: number;
}

export function newResumePoint(): ResumePoint {
  return { id: undefined, retryMs: undefined, failures: 0 };
}

/** The messages of a stream, whose point moves on with them. @throws what `messagesIn` throws */
export async function* readFrom(
  answer: HttpAnswer,
  point: ResumePoint,
  signal: AbortSignal,
  { target }: Streamable,
): AsyncGenerator<Message, void, void> {
  for await (const received of messagesIn(answer, target, signal)) {
    if (received.message) yield received.message;
    // Only now: what was not handed on must come again.
    note(received, point);
  }
}

function note({ id, retryMs, message }: Received, point: ResumePoint): void {
  if (message || (id !== undefined && id !== point.id)) point.failures = 0;
  if (id !== undefined) point.id = isSendable(id) ? id : undefined;
  if (retryMs !== undefined) point.retryMs = retryMs;
}

/** Characters of an id that goes back as a header; a longer one is none to come back with. */
const MAX_ID = 4096;

function isSendable(id: string): boolean {
  return id !== "" && id.length <= MAX_ID && !/\p{Cc}/u.test(id);
}

/** Milliseconds between two connections at least, whatever the server says. */
const SHORTEST_MS = 50;

/** Waits before coming back: as long as the server has asked for, and longer if that does not help. */
export async function waitFor(point: ResumePoint, signal: AbortSignal): Promise<void> {
  const { retryMs, failures } = point;
  const ownMs = retryMs === undefined || failures > 1 ? pauseAfter(failures) : 0;
  await pause(Math.min(Math.max(retryMs ?? 0, ownMs, SHORTEST_MS), MAX_TIMER_MS), signal);
}

/** What comes of a GET: a stream; perhaps one later; or none. */
export type Got = HttpAnswer | "later" | "never";

/**
 * Asks for a stream.
 * @param mayForget whether a refusal can mean that the session is forgotten, which is then told
 */
export async function getStream(
  point: ResumePoint,
  mayForget: boolean,
  signal: AbortSignal,
  all: Streamable,
): Promise<Got> {
  const answer = await get(point, signal, all);
  if (!answer) return "later";
  if (isSuccess(answer)) return streamOf(answer);
  const asked = { method: answer.what };
  const refused = new HttpRefused(await readRefusal(answer, asked, all.target, signal));
  all.target.logger.debug({ error: refused.message }, "The remote server gave no stream");
  if (mayForget && saysForgotten(refused, all)) {
    void forget(all);
    return "never";
  }
  return isPassing(answer.status) ? "later" : "never";
}

async function get(
  point: ResumePoint,
  signal: AbortSignal,
  all: Streamable,
): Promise<HttpAnswer | undefined> {
  const { target } = all;
  const resumed = point.id === undefined ? undefined : { "last-event-id": asBytes(point.id) };
  const headers = { accept: "text/event-stream", ...headersOf(all), ...resumed };
  try {
    return await target.http.request("GET", target.url, { headers, signal, what: "a stream" });
  } catch (error) {
    signal.throwIfAborted();
    target.logger.debug({ error: toMayflyError(error).message }, "The remote server gave no stream");
    return undefined;
  }
}

/** A header holds bytes, and those of an id are UTF-8. Source: HTML, 9.2.3. */
function asBytes(id: string): string {
  return Buffer.from(id).toString("latin1");
}

function streamOf(answer: HttpAnswer): Got {
  if (isEventStream(answer)) return answer;
  answer.body.destroy();
  return "never";
}

/** Too early, too much, still connected (409 of the SDK), and what stands before a server that is being started. */
function isPassing(status: number): boolean {
  if ([408, 409, 425, 429].includes(status)) return true;
  return status >= 500 && status !== 501 && status !== 505;
}
