import { ConfigurationError } from "../../configuration/error.ts";

/** Source: RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible characters, spaces, tabs and those beyond ASCII that Latin-1 has. Source: RFC 9110, 5.5. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers that say how a message is sent, or what the protocol says itself: another value would break it. */
const OURS = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "keep-alive",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * The headers of the user, with names in small letters and values without space around them.
 * @throws ConfigurationError that names the header, and never says its value
 */
export function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, "");
    const flaw = flawOf(key, trimmed) ?? (checked.has(key) ? "it is given twice" : undefined);
    if (flaw !== undefined) throw new ConfigurationError(`header ${JSON.stringify(name)}: ${flaw}`);
    checked.set(key, trimmed);
  }
  return Object.fromEntries(checked);
}

function flawOf(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return "this is not the name of a header";
  if (OURS.has(name) || name.startsWith("mcp-param-")) return "Mayfly sets it itself";
  return VALUE.test(value) ? undefined : "its value has characters that a header cannot have";
}

/** Headers that tell a server nothing that must not be seen. */
const OPEN = new Set(["host", "origin", "referer", "user-agent"]);

/** Words that stand before a secret, and in every second message about one. */
const SCHEMES = new Set(["apikey", "basic", "bearer", "digest", "token"]);

/** What must not be seen in a log or an error: the values of headers, and what a URL says beside its path. */
export function secretsOf(headers: Readonly<Record<string, string>>, url?: URL): string[] {
  const values = Object.entries(headers).flatMap(([name, value]) => (OPEN.has(name) ? [] : [value]));
  const words = values
    .flatMap((value) => value.split(/[ ,;=]+/))
    .filter((word) => !SCHEMES.has(word.toLowerCase()));
  return [...values, ...words, ...(url ? partsOf(url) : [])].filter((value) => value.length > 0);
}

function partsOf({ username, password, searchParams, search }: URL): string[] {
  const info = [username, password].flatMap((part) => [part, unescaped(part)]);
  const raw = search.slice(1).split(/[&=]/);
  return [...info, ...raw.filter((_part, index) => index % 2 === 1), ...searchParams.values()];
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The user info of a URL, as every HTTP client sends it. Source: RFC 7617. */
export function basicOf({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = `${unescaped(username)}:${unescaped(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** Whether a host is this machine: `localhost`, names below it, 127.0.0.0/8 and ::1. Source: RFC 6761, 6.3. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  return (
    host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127(?:\.\d+){3}$/.test(host)
  );
}
