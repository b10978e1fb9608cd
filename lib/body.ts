import { MayflyError } from "./errors.ts";
import type { ErrorCode } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";
import { ClientGone } from "./lifetime.ts";

/** A POST body, and whether its sender reads event streams. */
export interface Body {
  readonly text: string;
  readonly stream: boolean;
}

/**
 * Reads a POST body as text, the checks in the order of the wire rules.
 * @throws UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, NOT_ACCEPTABLE, BODY_NOT_JSON, ClientGone
 */
export async function readBody(request: IncomingRequest, maxBodyBytes: number): Promise<Body> {
  const bytes = await readJsonBytes(request, maxBodyBytes, "UNSUPPORTED_MEDIA_TYPE");
  const stream = mayStream(request.headers.get("accept"));
  return { text: decode(bytes), stream };
}

/**
 * Reads a POST body whose answer has no body of its own.
 * @param otherType the error for another type than JSON
 * @throws BODY_TOO_LARGE, BODY_NOT_JSON, ClientGone, and that error
 */
export async function readText(
  request: IncomingRequest,
  maxBodyBytes: number,
  otherType: ErrorCode,
): Promise<string> {
  return decode(await readJsonBytes(request, maxBodyBytes, otherType));
}

async function readJsonBytes(
  request: IncomingRequest,
  maxBodyBytes: number,
  otherType: ErrorCode,
): Promise<Uint8Array> {
  const type = mediaType(request.headers.get("content-type"));
  if (type !== "application/json") throw new MayflyError(otherType);
  return readBytes(request, maxBodyBytes);
}

/** The first one where a sender names several: by that one a browser decides whether it asks us before it sends. */
function mediaType(header: string | null): string | undefined {
  return header?.toLowerCase().split(/[;,]/, 1)[0]?.trim();
}

async function readBytes({ headers, body }: IncomingRequest, maxBodyBytes: number): Promise<Uint8Array> {
  if (Number(headers.get("content-length")) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = body?.getReader();
  // A body breaks off when its sender goes away; that is no fault of ours.
  const read = async () =>
    reader?.read().catch(() => {
      throw new ClientGone();
    });
  for (let next = await read(); next && !next.done; next = await read()) {
    bytes += next.value.length;
    if (bytes > maxBodyBytes) {
      await reader?.cancel();
      throw tooLarge(maxBodyBytes);
    }
    chunks.push(next.value);
  }
  return Buffer.concat(chunks, bytes);
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
