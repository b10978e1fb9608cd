import type { Authenticate, Authenticated } from "./configuration/options.ts";
import { MayflyError } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";
import { decided } from "./promises.ts";
import { mask } from "./secrets.ts";

/** Headers of a 401. */
export const CHALLENGE = { "WWW-Authenticate": "Bearer" };

/**
 * Asks the operator's function who calls.
 * @returns the principal
 * @throws CALLER_NOT_KNOWN when it knows nobody, INTERNAL when it fails
 */
export async function authenticated(
  request: IncomingRequest,
  url: URL,
  authenticate: Authenticate,
): Promise<string> {
  const caller = await ask(request, url, authenticate);
  if (caller === undefined || caller === null) {
    throw new MayflyError("CALLER_NOT_KNOWN", { headers: CHALLENGE });
  }
  const { principal }: { readonly principal?: unknown } = caller;
  if (typeof principal === "string" && principal !== "") return principal;
  throw new MayflyError("INTERNAL", { cause: new TypeError("authenticate returned no principal") });
}

/** Whoever writes no types may return null for nobody. */
async function ask(
  { method, url, headers }: IncomingRequest,
  parsed: URL,
  authenticate: Authenticate,
): Promise<Authenticated | null | undefined> {
  try {
    const asked = { method, url, headers: new Headers([...headers]) };
    return await decided("authenticate", () => authenticate(asked));
  } catch (error) {
    throw new MayflyError("INTERNAL", { cause: masked(error, secretsIn(headers, parsed)) });
  }
}

/** An error may quote what it was made of, and goes into the log: a token that is not valid, a user and a password. */
function masked(thrown: unknown, secrets: readonly string[]): Error {
  const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  const error = new Error(mask(message, secrets));
  error.stack = mask(stack ?? message, secrets);
  return error;
}

/** Any header and any parameter may carry a key, alone or behind a word such as `Bearer`. */
function secretsIn(headers: Headers, { searchParams, search }: URL): string[] {
  const values = [...headers.values(), ...searchParams.values(), ...search.split(/[?&=]/)];
  return values.flatMap((value) => [value, basicIn(value)].flatMap(withParts));
}

/** User and password, as RFC 7617 writes them. */
function basicIn(value: string): string {
  const encoded = /^Basic +(.+)$/i.exec(value)?.[1] ?? "";
  return Buffer.from(encoded, "base64").toString();
}

function withParts(text: string): string[] {
  return [text, ...text.split(/[\s,;=:]+/)];
}
