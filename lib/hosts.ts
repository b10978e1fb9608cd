import { ConfigurationError } from "./configuration/error.ts";

/** The pattern of everything. */
export const ANY = "*";

/** A host as operators write it. */
export interface WrittenHost {
  /** As a URL has it: in small letters, a name with other letters in its ASCII form. */
  readonly name: string;
  /** Whether it stands for the names below it, and not for itself. */
  readonly below: boolean;
  /** Digits, `*`, or undefined where none is written. */
  readonly port: string | undefined;
  /** Finds such hosts, without a port. */
  readonly source: string;
}

const PATTERN = /^(\*\.)?([^\s/?#@*:\\]+|\[[\d.:a-f]+\])(?::(\d+|\*))?$/;
const NAME = /^(?:[\w-]+(?:\.[\w-]+)*\.?|\[.+\])$/;
export const MAX_PORT = 65_535;

/** @returns undefined for what is no host */
export function readHost(text: string): WrittenHost | undefined {
  const [, star = "", written = "", port] = PATTERN.exec(text.toLowerCase()) ?? [];
  // An address has no names below it, and is no part of one.
  const label = star && "a.";
  const name = hostnameOf(`http://${label}${written}`)?.slice(label.length) ?? "";
  if (!NAME.test(name) || (port !== undefined && !isPort(port))) return undefined;
  const labels = star && String.raw`(?:[\w-]+\.)+`;
  const digits = port === undefined || port === ANY ? port : String(Number(port));
  return { name, below: star !== "", port: digits, source: labels + escaped(name) };
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function isPort(port: string): boolean {
  return port === ANY || (Number(port) > 0 && Number(port) <= MAX_PORT);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** The hosts that requests may be addressed to. */
export interface AllowedHosts {
  /** Whether a Host header names one of them. */
  readonly includes: (host: string) => boolean;
  /** Whether a page of that origin is of a host that is named. Under a pattern, others may have names of their own. */
  readonly owns: (origin: string) => boolean;
}

/** What a URL would read as a user, a path and the like, or leave out, and find a host in the rest. */
const HOLDS_MORE = /[/@\\?#\s]/;

/** @throws ConfigurationError for what is no host, and for none at all */
export function createAllowedHosts(entries: readonly string[]): AllowedHosts {
  if (entries.length === 0) {
    throw new ConfigurationError(
      'allowedHosts: the list is empty: leave it out, or name "*", to let any host in',
    );
  }
  const hosts = entries.filter((entry) => entry !== ANY).map(compile);
  const named = hosts.filter(({ below }) => !below);
  const any = entries.includes(ANY);
  return {
    // Behind a proxy that speaks HTTPS, a Host without a port stands for the one of either scheme.
    includes: (host) =>
      any ||
      (!HOLDS_MORE.test(host) &&
        hosts.some((one) => one.isOf(`http://${host}`) || one.isOf(`https://${host}`))),
    owns: (origin) => named.some((one) => one.isOf(origin)),
  };
}

interface Compiled {
  readonly below: boolean;
  readonly isOf: (url: string) => boolean;
}

const USUAL_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

function compile(entry: string): Compiled {
  const { below, port, source } = readEntry(entry);
  const pattern = new RegExp(`^${source}$`);
  const isOf = (text: string): boolean => {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return pattern.test(url.hostname) && [undefined, url.port || USUAL_PORTS[url.protocol]].includes(port);
  };
  return { below, isOf };
}

function readEntry(entry: string): WrittenHost {
  const host = readHost(entry);
  if (host && host.port !== ANY) return host;
  throw new ConfigurationError(
    `allowedHosts: "${entry}" is no host: expected mcp.example.com, *.example.com, mcp.example.com:8443, [::1] or *`,
  );
}

/**
 * The URL of a host under a name that it lets in, for requests that need no network.
 * @throws ConfigurationError for what is no host
 */
export function underAllowedName(url: string, entries: readonly string[] = [ANY]): string {
  const { protocol, host } = new URL(url);
  const [first = ANY] = entries;
  if (createAllowedHosts(entries).includes(host)) return url;
  const { name, below, port } = readEntry(first);
  return `${protocol}//${below ? "mayfly." : ""}${name}${port === undefined ? "" : `:${port}`}`;
}
