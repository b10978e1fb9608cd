import { MayflyError } from "../errors.ts";

/** HTTP headers that repeat what the body says. Source: 2026-07-28/basic/transports/streamable-http, Request Metadata. */

/** Without the space that HTTP allows around a value, and no other (RFC 9110, 5.6.3). */
export function trimmed(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, "");
}

/** A value repeated by a gateway that joins headers is still one value. */
export function versionOf(headers: Headers): string | undefined {
  const values = headers.get("mcp-protocol-version")?.split(",").map(trimmed);
  const distinct = new Set(values);
  return distinct.size > 1 ? [...distinct].join(",") : values?.[0];
}

/** Where the value of Mcp-Name stands. Source: Standard Request Headers; the tasks extension for `taskId`. */
const NAME_SOURCES: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

/** The member of params whose value Mcp-Name repeats; undefined for a method that has no such header. */
export function nameSource(method: string): string | undefined {
  return Object.hasOwn(NAME_SOURCES, method) ? NAME_SOURCES[method] : undefined;
}

/**
 * The text that Mcp-Name must repeat, where the request has one.
 * @throws HEADER_MISMATCH for anything but a text in its place, which no header could repeat
 */
export function nameOf(method: string, params: Readonly<Record<string, unknown>> = {}): string | undefined {
  const source = nameSource(method);
  const name = source === undefined ? undefined : params[source];
  if (name === undefined || typeof name === "string") return name;
  throw mismatch(`Mcp-Name cannot repeat params.${source}, which is not a text`);
}

/** A value as a header can carry it: one that would not arrive as it is goes in base64 (Value Encoding). */
export function encodedValue(value: string): string {
  const isPlain = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value);
  if (isPlain && !/^=\?base64\?.*\?=$/.test(value)) return value;
  return `=?base64?${Buffer.from(value).toString("base64")}?=`;
}

/**
 * The value of a header, with base64 decoded (Value Encoding).
 * @throws HEADER_MISMATCH for characters that no such header may have
 */
export function headerValue(headers: Headers, name: string): string | undefined {
  const sent = headers.get(name);
  if (sent === null) return undefined;
  const raw = trimmed(sent);
  const encoded = /^=\?base64\?(.*)\?=$/s.exec(raw)?.[1];
  const value = encoded === undefined ? raw : decodeBase64(encoded);
  if (value !== undefined && /^[\t\x20-\x7e]*$/.test(raw)) return value;
  throw mismatch(`${name} has characters that its value may not have`);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeBase64(encoded: string): string | undefined {
  if (!BASE64.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  // Of two texts for the same bytes only one is what a client writes.
  if (bytes.toString("base64") !== encoded) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export function mismatch(detail: string): MayflyError {
  return new MayflyError("HEADER_MISMATCH", { values: { detail } });
}
