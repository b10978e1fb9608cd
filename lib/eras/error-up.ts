import {
  HEADER_MISMATCH,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  METHOD_NOT_FOUND,
  MISSING_CAPABILITY,
  UNSUPPORTED_VERSION,
} from "../errors.ts";
import { isObject } from "../jsonrpc.ts";
import { setMember } from "../rawjson.ts";

/** Error objects on their way to a client of the other era, as text. Pure: only codes change. */

/** Source: 2026-07-28/basic, Error Codes. */
const MODERN_CODES: ReadonlySet<number> = new Set([HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION]);
/** Resource not found, of 2025-11-25 and before. Source: 2026-07-28/basic, Error Codes. */
const RESOURCE_NOT_FOUND = -32002;
/** URL elicitation required, of 2025-11-25 only. Source: 2025-11-25/client/elicitation. */
export const URL_ELICITATION_REQUIRED = -32042;

/** A legacy server's error for a modern client, to whom some codes mean what a legacy server cannot have meant. */
export function toModernError(error: string): string {
  const code = errorCode(JSON.parse(error));
  if (code === RESOURCE_NOT_FOUND) return setMember(error, "code", String(INVALID_PARAMS));
  return code <= FIRST_RESERVED && code >= LAST_RESERVED
    ? setMember(error, "code", String(INTERNAL_ERROR))
    : error;
}

/** Codes that only the specification defines, and others must not emit. Source: 2026-07-28/basic, Error Codes. */
const [FIRST_RESERVED, LAST_RESERVED] = [-32_020, -32_099];

/** A modern server's error for a legacy client, who has no use for codes about headers, versions and envelopes. */
export function toLegacyError(error: string): string {
  return MODERN_CODES.has(errorCode(JSON.parse(error)))
    ? setMember(error, "code", String(INTERNAL_ERROR))
    : error;
}

/** @returns NaN for what is no error object */
export function errorCode(error: unknown): number {
  const code = isObject(error) ? error["code"] : undefined;
  return typeof code === "number" ? code : Number.NaN;
}

/** The HTTP status of a modern answer. Source: 2026-07-28/basic/transports/streamable-http; basic, Error Codes. */
export function modernStatus(code: number, method: string): number {
  // Every modern server can be discovered (2026-07-28/server/discover): this one must not be taken for a legacy one.
  if (method === "server/discover" && !MODERN_CODES.has(code)) return 500;
  if (code === METHOD_NOT_FOUND) return 404;
  return MODERN_CODES.has(code) ? 400 : 200;
}
