// What a page in a browser can do: fetch with the CORS protocol of the Fetch standard (3.2, 4.8 and 4.9), without
// cookies, redirects and the cache of preflights.

export interface Page {
  readonly origin: string;
  /** Whether the page asks for cookies to be sent: then `*` is no wildcard. @default false */
  readonly credentials?: boolean;
}

/** As fetch in a page of that origin. @throws TypeError with the reason, which a page would not be told */
export function browserFetch({ origin, credentials = false }: Page): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (needsPreflight(request)) await preflight(request, origin, credentials);
    request.headers.set("origin", origin);
    const response = await fetch(request);
    checkOrigin(response, origin, credentials);
    return readable(response, credentials);
  };
}

const SAFE_METHODS = ["GET", "HEAD", "POST"];
const SAFE_HEADERS = new Set(["accept", "accept-language", "content-language"]);
const SAFE_TYPES = /^(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)(?:;|$)/i;
const SAFE_RESPONSE_HEADERS = new Set([
  "cache-control",
  "content-language",
  "content-length",
  "content-type",
  "expires",
  "last-modified",
  "pragma",
]);

function needsPreflight(request: Request): boolean {
  return !SAFE_METHODS.includes(request.method) || unsafeHeaders(request).length > 0;
}

function unsafeHeaders({ headers }: Request): string[] {
  const isSafe = ([name, value]: [string, string]): boolean =>
    SAFE_HEADERS.has(name) || (name === "content-type" && SAFE_TYPES.test(value));
  return [...headers]
    .filter((header) => !isSafe(header))
    .map(([name]) => name)
    .toSorted();
}

async function preflight(request: Request, origin: string, credentials: boolean): Promise<void> {
  const asked = unsafeHeaders(request);
  const response = await fetch(request.url, {
    method: "OPTIONS",
    headers: {
      origin,
      accept: "*/*",
      "access-control-request-method": request.method,
      ...(asked.length > 0 && { "access-control-request-headers": asked.join(",") }),
    },
  });
  checkOrigin(response, origin, credentials);
  if (!response.ok) throw new TypeError(`the preflight got ${response.status}`);
  const methods = [...SAFE_METHODS, ...listOf(response, "access-control-allow-methods")];
  if (!allows(methods, request.method, credentials)) throw new TypeError(`${request.method} is not allowed`);
  const headers = listOf(response, "access-control-allow-headers").map((name) => name.toLowerCase());
  const refused = asked.find((name) => !allows(headers, name, credentials));
  if (refused !== undefined) throw new TypeError(`the header ${refused} is not allowed`);
}

/** Fetch standard, 4.10: CORS check. */
function checkOrigin({ headers }: Response, origin: string, credentials: boolean): void {
  const allowed = headers.get("access-control-allow-origin");
  if (allowed === "*" && !credentials) return;
  if (allowed !== origin) throw new TypeError(`Access-Control-Allow-Origin is ${allowed}, and not ${origin}`);
  if (credentials && headers.get("access-control-allow-credentials") !== "true") {
    throw new TypeError("Access-Control-Allow-Credentials is not true");
  }
}

/** Authorization must always be named. */
function allows(names: readonly string[], name: string, credentials: boolean): boolean {
  return names.includes(name) || (names.includes("*") && !credentials && name !== "authorization");
}

function listOf({ headers }: Response, name: string): string[] {
  return (headers.get(name) ?? "").split(",").map((entry) => entry.trim());
}

/** The response as the page sees it: without the headers that it was not given. */
function readable(response: Response, credentials: boolean): Response {
  const exposed = listOf(response, "access-control-expose-headers").map((name) => name.toLowerCase());
  const { body, status, headers } = response;
  const seen = [...headers].filter(
    ([name]) => SAFE_RESPONSE_HEADERS.has(name) || allows(exposed, name, credentials),
  );
  return new Response(body, { status, headers: seen });
}
