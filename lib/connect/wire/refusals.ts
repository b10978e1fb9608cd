import type { Readable } from "node:stream";

import { MayflyError } from "../../errors.ts";
import { isObject, onOneLine } from "../../jsonrpc.ts";
import type { Message, ResponseValue } from "../../jsonrpc.ts";
import { nextChunk } from "../../lines.ts";
import { setMember } from "../../rawjson.ts";
import { limited } from "../limited.ts";
import type { RemoteTarget } from "../remote.ts";
import { typeOf } from "./answers.ts";
import type { HttpAnswer, RemoteHttp } from "./http.ts";

/** What HTTP answers say that are no success. */

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
  return said === "" ? "" : `: ${onALine(http.mask(said))}`;
}

/** On one line, of characters that a terminal neither obeys nor hides. */
function onALine(text: string): string {
  const line = text
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?")
    .trim();
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}…` : line;
}
