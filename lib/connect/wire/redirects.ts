import type { HttpAnswer, HttpMethod } from "./http.ts";

const KEEPING = new Set([307, 308]);
const LOOSE = new Set([301, 302, 303]);

/**
 * Where an answer sends us on: only to the same place, since the headers of the user go along, and a stranger must not
 * get them. From http to https of the same host is the same place.
 * @returns undefined if it does not; why not, if that is not followed, which may show what the server has repeated of ours
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
  if (!isSamePlace(url, next)) return `it redirects to ${next.origin}: if that is meant, give its URL`;
  if (KEEPING.has(status) || method === "GET") return next;
  // Often a slash is missing at the end, and the user cannot see that without the path.
  return `it redirects to ${next.origin}${pathOf(next)}, but a POST must not be sent on: if that is meant, give that URL`;
}

/** Characters. What is cut could have a part of a key at its end, which nobody would mask. */
const MAX_PATH = 256;

function pathOf({ pathname }: URL): string {
  return pathname.length > MAX_PATH ? "" : pathname;
}

function isSamePlace(from: URL, to: URL): boolean {
  const isUpgrade = from.protocol === "http:" && to.protocol === "https:";
  return from.origin === to.origin || (isUpgrade && from.hostname === to.hostname);
}
