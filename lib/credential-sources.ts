import { matcherOf } from "./patterns.ts";
import { OWN_PARAMETERS, isNeverSettable, isVariableName } from "./request-variables.ts";

/** Where a request brings the value of a variable: what stands in `envFrom` of a server, parsed. */
export type CredentialSource =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "query"; readonly name: string }
  | { readonly kind: "bearer" };

/** A variable whose value comes from nowhere but the request. */
export interface CallerVariable {
  readonly variable: string;
  readonly source: CredentialSource;
}

/** @param envFrom as {@link flawsOfSources} has found right */
export function readSources(envFrom: Readonly<Record<string, string>> = {}): CallerVariable[] {
  return Object.entries(envFrom).flatMap(([variable, text]) => {
    const source = readSource(text);
    return source ? [{ variable, source }] : [];
  });
}

/** As users read it. */
export function describeSource(source: CredentialSource): string {
  if (source.kind === "bearer") return "bearer token";
  return `${source.kind === "header" ? "header" : "URL parameter"} "${source.name}"`;
}

/** Two variables whose names differ in their case alone are one on Windows, and a mistake elsewhere. */
export function isSameVariable(one: string, other: string): boolean {
  return one.toUpperCase() === other.toUpperCase();
}

/**
 * Headers that mean something already: to a browser, which sends them unasked, to a proxy, to HTTP, to MCP, or to
 * Mayfly. In lower case.
 */
export const TAKEN_HEADERS = [
  ...["authorization", "x-api-key", "cookie", "host", "origin", "referer", "accept", "accept-*"],
  ...["access-control-*", "content-*", "mcp-*", "last-event-id", "sec-*", "proxy-*", "connection"],
  ...["keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "forwarded", "via"],
] as const;

/** What is wrong with `envFrom`, by variable. */
export function flawsOfSources(envFrom: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const flaws = new Map<string, string>();
  const before: string[] = [];
  for (const [variable, text] of Object.entries(envFrom)) {
    const flaw = flawOfVariable(variable, before) ?? flawOfSource(text);
    if (flaw !== undefined) flaws.set(variable, flaw);
    before.push(variable);
  }
  return flaws;
}

function flawOfVariable(variable: string, before: readonly string[]): string | undefined {
  if (!isVariableName(variable)) return "is not the name of a variable";
  if (isNeverSettable(variable)) return "can never be set by a request";
  const same = before.find((other) => isSameVariable(other, variable));
  return same === undefined ? undefined : `is the same variable as ${same}`;
}

const EXPECTED = 'expected "header:NAME", "query:NAME" or "bearer"';

/** Not a text: the schema says what it is instead. */
function flawOfSource(text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  const source = readSource(text);
  if (!source) return EXPECTED;
  if (source.kind === "header") return flawOfHeader(source.name);
  return source.kind === "query" ? flawOfParameter(source.name) : undefined;
}

function readSource(text: string): CredentialSource | undefined {
  if (text === "bearer") return { kind: "bearer" };
  const [, kind, name = ""] = /^(header|query):(.*)$/s.exec(text) ?? [];
  if (kind === "header") return { kind, name: name.toLowerCase() };
  return kind === "query" ? { kind, name } : undefined;
}

/** A token of RFC 9110, 5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

const TAKEN = TAKEN_HEADERS.map((pattern) => matcherOf(pattern));

function flawOfHeader(name: string): string | undefined {
  if (!HEADER_NAME.test(name)) return "expected the name of a header";
  if (name === "authorization") return 'the header authorization is read by "bearer"';
  return TAKEN.some((takes) => takes(name)) ? `the header ${name} means something else already` : undefined;
}

/** What needs no escaping in a URL. Source: RFC 3986, 2.3. */
const PARAMETER_NAME = /^[A-Za-z0-9._~-]+$/;

const OWN = new Set([...OWN_PARAMETERS].map((name) => name.toLowerCase()));

function flawOfParameter(name: string): string | undefined {
  if (!PARAMETER_NAME.test(name)) return "expected a parameter of letters, digits, '-', '.', '_' and '~'";
  return OWN.has(name.toLowerCase()) ? `${name} is a URL parameter of Mayfly's own` : undefined;
}
