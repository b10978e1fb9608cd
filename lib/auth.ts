import { createHash, timingSafeEqual } from "node:crypto";

import { CHALLENGE, authenticated } from "./authenticate.ts";
import type { Authenticate } from "./configuration/options.ts";
import type { Page } from "./cors.ts";
import { MayflyError } from "./errors.ts";
import type { AllowedHosts } from "./hosts.ts";
import type { IncomingRequest } from "./incoming.ts";
import { printable } from "./logger.ts";

/** Who may call. */
export interface AccessRules {
  readonly authKeys: readonly string[];
  readonly allowAnonymous: boolean;
  /** Decides in place of the keys. */
  readonly authenticate: Authenticate | undefined;
  /** Undefined: any. */
  readonly allowedHosts: AllowedHosts | undefined;
}

/** The URL parameter that may carry the key. */
export const KEY_PARAMETER = "auth_key";

/**
 * Keeps web pages out that were not invited: a page can make a browser send requests to a local server, under a
 * host name that it made to point there. Source: 2025-11-25/basic/transports, Security Warning.
 * @throws HOST_NOT_ALLOWED
 */
export function admitHost({ headers }: IncomingRequest, url: URL, { allowedHosts }: AccessRules): void {
  const host = headers.get("host") ?? url.host;
  if (!allowedHosts || allowedHosts.includes(host)) return;
  throw new MayflyError("HOST_NOT_ALLOWED", { log: { host: printable(host), option: "--allowed-hosts" } });
}

/**
 * Pages from the hosts that we answer under are our own: other ports of localhost, for a local adapter.
 * @throws ORIGIN_NOT_ALLOWED
 */
export function admitOrigin({ origin, invited }: Page, { allowedHosts }: AccessRules): void {
  if (invited || origin === null || allowedHosts?.owns(origin)) return;
  throw new MayflyError("ORIGIN_NOT_ALLOWED", {
    log: { origin: printable(origin), option: "--cors-origin" },
  });
}

/**
 * Finds out who calls: by the operator's own function, else by the keys that the request presents.
 * @returns what names the caller, and is no secret; with a prefix that says who has named it
 * @throws UNAUTHORIZED, NO_KEY_CONFIGURED, CALLER_NOT_KNOWN, INTERNAL
 */
export async function admitKey(request: IncomingRequest, url: URL, rules: AccessRules): Promise<string> {
  if (rules.authenticate) return `custom:${await authenticated(request, url, rules.authenticate)}`;
  if (rules.authKeys.length === 0) {
    if (rules.allowAnonymous) return "anonymous";
    throw new MayflyError("NO_KEY_CONFIGURED", { headers: CHALLENGE });
  }
  const key = presentedKeys(request, url).find((presented) => isKey(presented, rules.authKeys));
  if (key === undefined) throw new MayflyError("UNAUTHORIZED", { headers: CHALLENGE });
  return `key:${sha256(key).toString("base64url")}`;
}

function presentedKeys({ headers }: IncomingRequest, url: URL): string[] {
  const keys = [bearerOf(headers), headers.get("x-api-key"), ...url.searchParams.getAll(KEY_PARAMETER)];
  return keys.filter((key) => typeof key === "string");
}

/** The token of `Authorization: Bearer TOKEN`. */
export function bearerOf(headers: Headers): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}

/** Every key is compared, and all of each: the time says nothing about which one was nearly right. */
export function isKey(presented: string, keys: readonly string[]): boolean {
  const digest = sha256(presented);
  return keys.map((key) => timingSafeEqual(sha256(key), digest)).includes(true);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
