import type { BodyShare } from "./body-memory.ts";
import { MayflyError } from "./errors.ts";
import type { ErrorCode } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";
import { ClientGone } from "./lifetime.ts";
import { MAX_TIMER_MS } from "./promises.ts";

/** A POST body, and whether its sender reads event streams. */
export interface Body {
  readonly text: string;
  readonly stream: boolean;
}

/** Milliseconds for a whole body. One of 4 MiB needs 140 kB a second then; that of a call mostly comes with its headers. */
export const BODY_TIMEOUT_MS = 30_000;

/** What a body may cost. */
export interface BodyLimits {
  readonly maxBodyBytes: number;
  /** Milliseconds until all of it must be here. */
  readonly bodyTimeoutMs: number;
}

/**
 * Reads a POST body as text, the checks in the order of the wire rules.
 * @throws UNSUPPORTED_MEDIA_TYPE, BODY_ENCODED, BODY_TOO_LARGE, BODIES_TOO_LARGE, BODY_TIMEOUT, NOT_ACCEPTABLE, BODY_NOT_JSON,
 * ClientGone
 */
export async function readBody(
  request: IncomingRequest,
  limits: BodyLimits,
  memory: BodyShare,
): Promise<Body> {
  const bytes = await readJsonBytes(request, "UNSUPPORTED_MEDIA_TYPE", limits, memory);
  const stream = mayStream(request.headers.get("accept"));
  return { text: decode(bytes), stream };
}

/**
 * Reads a POST body whose answer has no body of its own.
 * @param otherType the error for another type than JSON
 * @throws BODY_ENCODED, BODY_TOO_LARGE, BODIES_TOO_LARGE, BODY_TIMEOUT, BODY_NOT_JSON, ClientGone, and that error
 */
export async function readText(
  request: IncomingRequest,
  otherType: ErrorCode,
  limits: BodyLimits,
  memory: BodyShare,
): Promise<string> {
  return decode(await readJsonBytes(request, otherType, limits, memory));
}

async function readJsonBytes(
  request: IncomingRequest,
  otherType: ErrorCode,
  { maxBodyBytes, bodyTimeoutMs }: BodyLimits,
  memory: BodyShare,
): Promise<Uint8Array> {
  const type = mediaType(request.headers.get("content-type"));
  if (type !== "application/json") throw new MayflyError(otherType);
  if (isEncoded(request.headers)) throw new MayflyError("BODY_ENCODED");
  // Before the body is touched: a client that asks whether to send it is not told to.
  if (Number(request.headers.get("content-length")) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const check = (bytes: number): void => {
    if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
    memory.need(bytes);
  };
  try {
    return await readBytes(request.body, check, bodyTimeoutMs);
  } finally {
    memory.close();
  }
}

/** A filter before us that obeys these headers would have read another text than we. */
function isEncoded(headers: Headers): boolean {
  const charset = /;\s*charset="?([^\s";,]*)/i.exec(headers.get("content-type") ?? "")?.[1] ?? "utf-8";
  const encoding = headers.get("content-encoding") ?? "identity";
  return !/^(?:utf-?8|us-ascii)$/i.test(charset) || encoding.trim().toLowerCase() !== "identity";
}

/** The first one where a sender names several: by that one a browser decides whether it asks us before it sends. */
function mediaType(header: string | null): string | undefined {
  return header?.toLowerCase().split(/[;,]/, 1)[0]?.trim();
}

async function readBytes(
  body: IncomingRequest["body"],
  check: (bytes: number) => void,
  bodyTimeoutMs: number,
): Promise<Uint8Array> {
  const reader = body?.getReader();
  if (!reader) return new Uint8Array();
  const clock = startClock(bodyTimeoutMs);
  try {
    return await gather(() => Promise.race([reader.read().catch(gone), clock.over]), check);
  } catch (error) {
    // Not waited for: the rest of a body that does not come would hold up the answer. A body that broke off is cancelled.
    reader.cancel().catch(() => undefined);
    throw error;
  } finally {
    clock.stop();
  }
}

type Piece = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>["read"]>>;

async function gather(read: () => Promise<Piece>, check: (bytes: number) => void): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (let next = await read(); !next.done; next = await read()) {
    bytes += next.value.length;
    check(bytes);
    chunks.push(next.value);
  }
  return Buffer.concat(chunks, bytes);
}

/** A body breaks off when its sender goes away; that is no fault of ours. */
function gone(): never {
  throw new ClientGone();
}

/** One for the whole body: a time for each piece would let a byte now and then hold the connection forever. */
function startClock(ms: number): { readonly over: Promise<never>; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(new MayflyError("BODY_TIMEOUT", { values: { limit: ms } }));
    timer = setTimeout(fail, Math.min(ms, MAX_TIMER_MS));
  });
  // Nobody may be waiting for it when it fires.
  over.catch(() => undefined);
  return { over, stop: () => clearTimeout(timer) };
}

function tooLarge(limit: number): MayflyError {
  return new MayflyError("BODY_TOO_LARGE", { values: { limit } });
}

/**
 * Absent and wildcards allow everything: `curl` and simple agents send no more.
 * Source: 2025-11-25/basic/transports, Sending Messages to the Server.
 */
export function mayStream(accept: string | null): boolean {
  const types = accept === null ? ["*/*"] : acceptedTypes(accept);
  const accepts = (...names: string[]): boolean => names.some((name) => types.includes(name));
  if (accepts("*/*", "text/*", "text/event-stream")) return true;
  if (accepts("application/*", "application/json")) return false;
  throw new MayflyError("NOT_ACCEPTABLE");
}

/** The types of a header, without those that `q=0` excludes. */
function acceptedTypes(header: string): string[] {
  const entries = header
    .toLowerCase()
    .split(",")
    .map((entry) => entry.split(";").map((part) => part.trim()));
  const excludes = (part: string): boolean => /^q=0(?:\.0*)?$/.test(part);
  return entries.filter((parts) => !parts.some(excludes)).map(([type = ""]) => type);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MayflyError("BODY_NOT_JSON", { values: { detail: "it is not UTF-8" }, cause });
  }
}
