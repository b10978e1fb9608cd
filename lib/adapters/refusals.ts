import type { IncomingMessage } from "node:http";

import { MayflyError } from "../errors.ts";

/**
 * What Node would let pass, or read in another way than a proxy before us: of two headers of a name Node takes the first,
 * the last, or both as one text, and it drops those beyond a number.
 * @param maxHeaders @default any number
 */
export function refusalOf(incoming: IncomingMessage, maxHeaders?: number): MayflyError | undefined {
  const names = headerNames(incoming);
  if (!VERSIONS.has(incoming.httpVersion)) return new MayflyError("MALFORMED_REQUEST");
  if (maxHeaders !== undefined && names.length > maxHeaders) {
    return new MayflyError("TOO_MANY_HEADERS", { values: { limit: maxHeaders } });
  }
  if (!hasOneHost(incoming, names)) return new MayflyError("HOST_NOT_VALID");
  const repeated = names.find((name, index) => ONCE.test(name) && names.indexOf(name) < index);
  if (repeated !== undefined) return new MayflyError("HEADER_REPEATED", { values: { name: repeated } });
  return undefined;
}

const VERSIONS = new Set(["1.0", "1.1"]);

/** Who calls, what a body is, and what it is for. */
const ONCE =
  /^(?:authorization|x-api-key|origin|content-type|content-length|last-event-id|expect|mcp-[\w!#$%&'*+.^`|~-]+)$/;

/** As they were sent, in small letters. */
function headerNames({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_text, index) => index % 2 === 0).map((name) => name.toLowerCase());
}

/** Source: RFC 9112, 3.2. HTTP/1.0 has none. */
function hasOneHost(incoming: IncomingMessage, names: readonly string[]): boolean {
  const count = names.filter((name) => name === "host").length;
  const { headers, httpVersion, url = "" } = incoming;
  if (count > 1 || (count === 0 && httpVersion !== "1.0")) return false;
  if (!/^https?:/i.test(url)) return true;
  return count === 1 && isOf(url, headers.host ?? "");
}

/** Whether a URL, which clients of proxies send, is of the host that the header names: one of both is checked, one used. */
function isOf(url: string, host: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, host: named, username, password } = new URL(url);
  const other = `${protocol}//${host}`;
  return username + password === "" && URL.canParse(other) && new URL(other).host === named;
}
