import type { HttpAnswer, HttpMethod } from "./http.ts";

const KEEPING = new Set([307, 308]);
const LOOSE = new Set([301, 302, 303]);

/**
 * Where an answer sends us on: only to the same place, since the headers of the user go along, and a stranger must not
 * get them. From http to https of the same host is the same place.
 * @returns undefined if it does not; why not, if that is not followed
 */
export function redirectOf(
  { status, headers, url }: Pick<HttpAnswer, "status" | "headers" | "url">,
  method: HttpMethod,
): URL | string | undefined {
  if (!KEEPING.has(status) && !LOOSE.has(status)) return undefined;
  const { location } = headers;
  if (location === undefined) return undefined;
  if (!URL.canParse(location, url.href)) return "it redirects to what is no URL";
  const next = new URL(location, url.href);
  if (next.protocol !== "https:" && next.protocol !== "http:")
    return "it redirects to what is not on the web";
  if (LOOSE.has(status) && method !== "GET") return `it redirects to ${next.origin}, but not as it was sent`;
  if (isSamePlace(url, next)) return next;
  return `it redirects to ${next.origin}: if that is meant, give that URL`;
}

function isSamePlace(from: URL, to: URL): boolean {
  const isUpgrade = from.protocol === "http:" && to.protocol === "https:";
  return from.origin === to.origin || (isUpgrade && from.hostname === to.hostname);
}
