import { createHash, timingSafeEqual } from "node:crypto";

import { MayflyError } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";

/** Who may call. */
export interface AccessRules {
  readonly authKeys: readonly string[];
  readonly allowAnonymous: boolean;
  readonly corsOrigins: readonly string[];
  /** Undefined: any. */
  readonly allowedHosts: readonly string[] | undefined;
}

/** The URL parameter that may carry the key. */
export const KEY_PARAMETER = "auth_key";

/**
 * Keeps web pages out that were not invited: a page can make a browser send requests to a local server, under a
 * host name that it made to point there. Source: 2025-11-25/basic/transports, Security Warning.
 * @throws HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED
 */
export function admitOrigin(request: IncomingRequest, url: URL, rules: AccessRules): void {
  const host = request.headers.get("host") ?? url.host;
  if (rules.allowedHosts && !rules.allowedHosts.includes(hostName(`http://${host}`))) {
    throw new MayflyError("HOST_NOT_ALLOWED");
  }
  const origin = request.headers.get("origin");
  if (origin !== null && !isAllowedOrigin(origin, rules)) throw new MayflyError("ORIGIN_NOT_ALLOWED");
}

/** Pages from the hosts that we answer under are our own: other ports of localhost, for a local adapter. */
function isAllowedOrigin(origin: string, { corsOrigins, allowedHosts = [] }: AccessRules): boolean {
  return (
    corsOrigins.some((pattern) => matchesOrigin(pattern, origin)) || allowedHosts.includes(hostName(origin))
  );
}

function matchesOrigin(pattern: string, origin: string): boolean {
  if (pattern === "*" || pattern === origin) return true;
  const [before, after, ...more] = pattern.split("*");
  if (before === undefined || after === undefined || more.length > 0) return false;
  const label = origin.slice(before.length, origin.length - after.length);
  return origin === before + label + after && /^[\w-]+(?:\.[\w-]+)*$/.test(label);
}

function hostName(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : "";
}

/**
 * Compares whatever keys the request presents with ours.
 * @returns what names the caller, and is no secret
 * @throws UNAUTHORIZED, NO_KEY_CONFIGURED
 */
export function admitKey(request: IncomingRequest, url: URL, rules: AccessRules): string {
  const headers = { "WWW-Authenticate": "Bearer" };
  if (rules.authKeys.length === 0) {
    if (rules.allowAnonymous) return "anonymous";
    throw new MayflyError("NO_KEY_CONFIGURED", { headers });
  }
  const key = presentedKeys(request, url).find((presented) => isKnown(presented, rules.authKeys));
  if (key === undefined) throw new MayflyError("UNAUTHORIZED", { headers });
  return `key:${sha256(key).toString("base64url")}`;
}

function presentedKeys({ headers }: IncomingRequest, url: URL): string[] {
  const bearer = /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  const keys = [bearer, headers.get("x-api-key"), ...url.searchParams.getAll(KEY_PARAMETER)];
  return keys.filter((key) => typeof key === "string");
}

/** Every key is compared, and all of each: the time says nothing about which one was nearly right. */
function isKnown(presented: string, keys: readonly string[]): boolean {
  const digest = sha256(presented);
  return keys.map((key) => timingSafeEqual(sha256(key), digest)).includes(true);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

const METHODS = "POST, GET, DELETE, OPTIONS";
const PREFLIGHT_SECONDS = "86400";

/** The answer to OPTIONS. The headers that a browser asks for are allowed: none of them carries a cookie's authority. */
export function preflight({ headers }: IncomingRequest): Response {
  const asked = headers.get("access-control-request-headers");
  return new Response(null, {
    status: 204,
    headers: {
      Allow: METHODS,
      "Access-Control-Allow-Methods": METHODS,
      "Access-Control-Max-Age": PREFLIGHT_SECONDS,
      Vary: "Access-Control-Request-Headers",
      ...(asked && { "Access-Control-Allow-Headers": asked }),
    },
  });
}

/** Lets a page from a configured origin read the answer. */
export function exposeTo(
  request: IncomingRequest,
  response: Response,
  { corsOrigins }: AccessRules,
): Response {
  if (corsOrigins.length === 0) return response;
  response.headers.append("Vary", "Origin");
  const origin = request.headers.get("origin");
  if (origin === null || !corsOrigins.some((pattern) => matchesOrigin(pattern, origin))) return response;
  response.headers.set("Access-Control-Allow-Origin", origin);
  response.headers.set(
    "Access-Control-Expose-Headers",
    "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After",
  );
  return response;
}
