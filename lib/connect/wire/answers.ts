import type { Readable } from "node:stream";

import { MayflyError } from "../../errors.ts";
import { MAX_NESTED, TooManyValues, messagesOf, onOneLine } from "../../jsonrpc.ts";
import type { Content, Message } from "../../jsonrpc.ts";
import { LineTooLong, createLine, nextChunk } from "../../lines.ts";
import { printable } from "../../logger.ts";
import { readEvents } from "./events.ts";
import type { HttpAnswer } from "./http.ts";
import { discard } from "./discarding.ts";
import { describe } from "./network-errors.ts";
import type { RemoteTarget } from "../remote.ts";

/** What HTTP answers hold that are a success. */

/** A message of the remote, or an event that says no more than where a stream can be resumed. */
export interface Received {
  readonly message: Message | undefined;
  /** The id of the event, once its messages are through; undefined if the stream has set none. */
  readonly id: string | undefined;
  /** Milliseconds to wait before coming back, as the stream has said last. */
  readonly retryMs: number | undefined;
}

/**
 * The messages of a successful answer, as they come; one that has no content has none. Whoever leaves off early leaves
 * the connection to later requests, if the answer ends soon, unless the signal has fired.
 * @throws REMOTE_NOT_MCP, REMOTE_MESSAGE_TOO_LARGE; REMOTE_LOST for a JSON answer that broke off. An event stream that
 * breaks ends: whether something is missing, its reader knows.
 */
export async function* messagesIn(
  answer: HttpAnswer,
  target: Pick<RemoteTarget, "maxMessageBytes" | "logger">,
  signal: AbortSignal,
): AsyncGenerator<Received, void, void> {
  try {
    const type = mediaType(answer);
    if (answer.status === 202 || answer.status === 204) return;
    if (type === "text/event-stream") yield* streamed(answer, target, signal);
    else if (type === "application/json") yield* atOnce(answer, target, signal);
    else if (!(await isEmpty(answer, signal))) throw notMcp(answer, typeOf(answer));
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error;
    throw new MayflyError("REMOTE_MESSAGE_TOO_LARGE", { values: { limit: error.limitBytes }, cause: error });
  } finally {
    discard(answer.body, signal);
  }
}

export function isSuccess({ status }: HttpAnswer): boolean {
  return status >= 200 && status < 300;
}

export function isEventStream(answer: HttpAnswer): boolean {
  return mediaType(answer) === "text/event-stream";
}

function mediaType({ headers }: HttpAnswer): string {
  return (headers["content-type"] ?? "").replace(/;.*$/s, "").trim().toLowerCase();
}

/** What it holds, in a few words. */
export function typeOf(answer: HttpAnswer): string {
  const type = mediaType(answer);
  if (type === "text/html" || type === "application/xhtml+xml") return "a web page";
  return type === "" ? "content of no type" : `content of the type ${printable(type)}`;
}

function notMcp({ what }: HttpAnswer, detail: string): MayflyError {
  return new MayflyError("REMOTE_NOT_MCP", { values: { method: what, detail } });
}

/** Some servers take a notification with 200 and nothing. */
async function isEmpty({ body, headers }: HttpAnswer, signal: AbortSignal): Promise<boolean> {
  return headers["content-length"] === "0" || (await nextChunk(body, signal)) === undefined;
}

async function* streamed(
  answer: HttpAnswer,
  { maxMessageBytes, logger }: Pick<RemoteTarget, "maxMessageBytes" | "logger">,
  signal: AbortSignal,
): AsyncGenerator<Received, void, void> {
  for await (const { type, data, id, retryMs } of readEvents(answer.body, maxMessageBytes, signal)) {
    const content = type === "message" && data !== "" ? contentOf(data, answer) : NOTHING;
    if (content)
      for (const flaw of content.flaws) logger.warn({ flaw }, "The remote sent an event that is no message");
    else logger.warn({}, "The remote sent an event that is not JSON");
    const messages = content?.messages ?? [];
    const last = messages.at(-1);
    if (!last) yield { message: undefined, id, retryMs };
    // To resume behind a batch means that all of it was received.
    for (const message of messages) yield { message, id: message === last ? id : undefined, retryMs };
  }
}

const NOTHING: Content = { messages: [], flaws: [] };

/** @throws REMOTE_NOT_MCP */
function contentOf(text: string, answer: HttpAnswer): Content | undefined {
  try {
    return messagesOf(onOneLine(text));
  } catch (error) {
    if (!(error instanceof TooManyValues)) throw error;
    throw notMcp(answer, `a message of more than ${MAX_NESTED} objects and arrays`);
  }
}

async function* atOnce(
  answer: HttpAnswer,
  { maxMessageBytes, logger }: Pick<RemoteTarget, "maxMessageBytes" | "logger">,
  signal: AbortSignal,
): AsyncGenerator<Received, void, void> {
  const text = await wholeText(answer, maxMessageBytes, signal);
  if (text === undefined || text.trim() === "") return;
  const content = contentOf(text, answer);
  if (!content || (content.messages.length === 0 && content.flaws.length > 0)) {
    throw notMcp(answer, content?.flaws[0] === undefined ? "broken JSON" : `JSON, but ${content.flaws[0]}`);
  }
  for (const flaw of content.flaws)
    logger.warn({ flaw }, "The remote answered with something that is no message");
  for (const message of content.messages) yield { message, id: undefined, retryMs: undefined };
}

/** @returns undefined if the signal fired. @throws REMOTE_LOST, LineTooLong */
async function wholeText(
  { body, what }: HttpAnswer,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const whole = createLine(maxBytes);
  for (let chunk = await nextChunk(body, signal); chunk; chunk = await nextChunk(body, signal))
    whole.add(chunk);
  if (signal.aborted) return undefined;
  if (!body.readableEnded) throw lost(body, what);
  return whole.take().replace(/^\uFEFF/, "");
}

/** For whoever finds something missing at the end of an answer. */
export function lost({ errored }: Readable, method: string): MayflyError {
  const detail = errored ? describe(errored) : "its answer ended";
  return new MayflyError("REMOTE_LOST", { values: { detail, method }, cause: errored });
}
