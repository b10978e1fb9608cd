import type { Readable } from "node:stream";

import { MayflyError } from "../../errors.ts";
import { MAX_NESTED, TooManyValues, isObject, messagesOf, onOneLine } from "../../jsonrpc.ts";
import type { Content, Message, ResponseValue } from "../../jsonrpc.ts";
import { LineTooLong, createLine, nextChunk } from "../../lines.ts";
import { printable } from "../../logger.ts";
import { setMember } from "../../rawjson.ts";
import { readEvents } from "./events.ts";
import type { HttpAnswer, RemoteHttp } from "./http.ts";
import { leave } from "./leaving.ts";
import { describe } from "./network-errors.ts";
import { limited } from "../limited.ts";
import type { RemoteTarget } from "../remote.ts";

/** What HTTP answers hold. */

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
    leave(answer.body, signal);
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

function typeOf(answer: HttpAnswer): string {
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

/** What was asked, for the answer to it. */
export interface Asked {
  readonly method: string;
  /** The id of the request, as its sender wrote it; undefined for what has none. */
  readonly id?: string | undefined;
}

export interface Refusal {
  /** Of the HTTP answer. */
  readonly status: number;
  /** The JSON-RPC error of the body, under the id of the request: servers write others, or none. */
  readonly message: Message<ResponseValue> | undefined;
  /** The same in our own words, for a client. */
  readonly failure: MayflyError;
}

/** Bytes of a refusal that are read, milliseconds for that, and characters that are told. */
const MAX_REFUSAL_BYTES = 64 * 1024;
const REFUSAL_MS = 5000;
const MAX_DETAIL = 200;

/** Reads what an answer says that is no success. Never throws, but for the reason of the signal. */
export async function readRefusal(
  answer: HttpAnswer,
  asked: Asked,
  target: Pick<RemoteTarget, "url" | "http">,
  signal: AbortSignal,
): Promise<Refusal> {
  const text = await startOf(answer.body, signal);
  signal.throwIfAborted();
  const message = errorIn(text, asked.id);
  return { status: answer.status, message, failure: failureOf(answer, { text, message }, asked, target) };
}

async function startOf(body: Readable, signal: AbortSignal): Promise<string> {
  try {
    const start = await limited(signal, { ms: REFUSAL_MS }, (limit) =>
      firstBytes(body, MAX_REFUSAL_BYTES, limit),
    );
    return start.toString();
  } finally {
    if (!body.readableEnded) body.destroy();
  }
}

async function firstBytes(body: Readable, limit: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (let chunk = await nextChunk(body, signal); chunk; chunk = await nextChunk(body, signal)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}

/** Source: JSON-RPC 2.0, 5.1. Servers write `null`, nothing or a word as the id of a request that they refuse. */
function errorIn(text: string, id = '""'): Message<ResponseValue> | undefined {
  const line = onOneLine(text).trim();
  const value = parse(line);
  if (!isObject(value) || value["jsonrpc"] !== "2.0" || "method" in value) return undefined;
  const { error } = value;
  if (!isObject(error) || !Number.isInteger(error["code"])) return undefined;
  return { text: setMember(line, "id", id), value: { id: JSON.parse(id) as string | number, error } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failureOf(
  answer: HttpAnswer,
  { text, message }: { readonly text: string; readonly message: Refusal["message"] },
  { method }: Asked,
  { url, http }: Pick<RemoteTarget, "url" | "http">,
): MayflyError {
  const { status } = answer;
  if (status === 401 && wantsOAuth(answer, message)) {
    return new MayflyError("REMOTE_WANTS_OAUTH", { values: { url: url.origin + url.pathname } });
  }
  if (status === 401 || status === 403) return new MayflyError("REMOTE_UNAUTHORIZED", { values: { status } });
  const said = saidIn(answer, text, message);
  const detail = detailOf(said, http);
  const later = answer.headers["retry-after"];
  const headers = later === undefined ? {} : { "Retry-After": later };
  return new MayflyError("REMOTE_REFUSED", { values: { method, status, detail }, headers });
}

/** A challenge for a bearer may mean a key as well: then a server that speaks JSON-RPC says so. Source: RFC 9728, 5.1. */
function wantsOAuth({ headers }: HttpAnswer, message: Refusal["message"]): boolean {
  const challenge = headers["www-authenticate"] ?? "";
  if (/\bresource_metadata\s*=/i.test(challenge)) return true;
  return /(?:^|,)\s*Bearer\b/i.test(challenge) && !message;
}

function saidIn(answer: HttpAnswer, text: string, message: Refusal["message"]): string {
  const error = message?.value.error;
  if (isObject(error) && typeof error["message"] === "string") return error["message"];
  return typeOf(answer) === "a web page" ? "a web page" : text;
}

/** What a server has said, as the end of a sentence. Masked as a whole: of a secret that is cut in half, nobody knows. */
export function detailOf(said: string, http: Pick<RemoteHttp, "mask">): string {
  return said === "" ? "" : `: ${shortened(http.mask(said))}`;
}

/** On one line, of characters that a terminal neither obeys nor hides. */
function shortened(text: string): string {
  const line = text
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?")
    .trim();
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}…` : line;
}
