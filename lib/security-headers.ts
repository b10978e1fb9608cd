/**
 * Of every answer, for browsers: they must not guess another type, hand on a URL (a key may stand in it), or show and run
 * what an answer holds. Nothing is said of HTTPS here: who ends it in front of us says that (docs/reverse-proxy.md).
 */
export const SECURITY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
};

/** Answers belong to one caller: where nothing else is said, no cache may keep them. */
export function secured(response: Response): Response {
  const { headers } = response;
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) headers.set(name, value);
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
  return response;
}
