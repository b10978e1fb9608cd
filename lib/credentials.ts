import { bearerOf, isKey } from "./auth.ts";
import type { AccessRules } from "./auth.ts";
import { describeSource } from "./credential-sources.ts";
import type { CallerVariable, CredentialSource } from "./credential-sources.ts";
import { MayflyError } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";
import type { Server } from "./servers.ts";

/**
 * Bytes of one value. Beyond 128 KiB Linux starts no program with it (MAX_ARG_STRLEN), and HTTP servers take 16 KiB of
 * headers.
 */
export const MAX_VALUE_BYTES = 16_384;

/**
 * The variables that a request brings as `envFrom` of the server says. What is absent, empty, or the key of this host
 * is not in it.
 * @throws CREDENTIAL_NOT_VALID, which never says a value
 */
export function credentialsOf(
  request: Pick<IncomingRequest, "headers">,
  url: URL,
  { envFrom }: Pick<Server, "envFrom">,
  rules: Pick<AccessRules, "authKeys">,
): Record<string, string> {
  const found = envFrom.flatMap((entry) => {
    const value = valueOf(entry, request, url);
    if (value === "") return [];
    if (Buffer.byteLength(value) > MAX_VALUE_BYTES) throw notValid(entry, TOO_LONG);
    if (holdsKey(value, rules)) return [];
    const flaw = flawOf(value, entry.source);
    if (flaw !== undefined) throw notValid(entry, flaw);
    return [[entry.variable, value] as const];
  });
  return Object.fromEntries(found);
}

/** Absent is empty: a client that fills a template in cannot leave a header out. */
function valueOf(entry: CallerVariable, { headers }: Pick<IncomingRequest, "headers">, url: URL): string {
  const { source } = entry;
  if (source.kind === "bearer") return bearerOf(headers) ?? "";
  if (source.kind === "header") return headers.get(source.name) ?? "";
  const [value = "", ...others] = url.searchParams.getAll(source.name);
  if (others.length > 0) throw notValid(entry, "it stands there twice");
  return value;
}

/** A header that stands there twice is read as one, with a comma between; and people write "Bearer" before any key. */
function holdsKey(value: string, { authKeys }: Pick<AccessRules, "authKeys">): boolean {
  if (authKeys.length === 0) return false;
  const pieces = [value, ...value.split(",")].map((piece) => piece.trim().replace(/^Bearer +/i, ""));
  return pieces.some((piece) => isKey(piece, authKeys));
}

const TOO_LONG = `it has more than ${MAX_VALUE_BYTES} bytes`;

function flawOf(value: string, { kind }: CredentialSource): string | undefined {
  if (kind === "query") return flawOfText(value);
  // Of bytes beyond ASCII nobody knows the encoding, and what is a space to one program ends a header for another.
  if (!/^[\x20-\x7e]*$/.test(value)) return "it has a character that is not printable ASCII";
  return kind === "bearer" && value.includes(" ") ? "it has a space" : undefined;
}

/** Why the value of a URL parameter can be that of no variable. */
export function flawOfText(value: string): string | undefined {
  if (value.includes("\0")) return "its value has a NUL character";
  // What could not be decoded would reach the server as something else than was sent.
  return value.includes("\uFFFD") ? "its value is not UTF-8" : undefined;
}

function notValid({ variable, source }: CallerVariable, detail: string): MayflyError {
  return new MayflyError("CREDENTIAL_NOT_VALID", {
    values: { source: describeSource(source), variable, detail },
  });
}
