import { ConfigurationError } from "../configuration/error.ts";

/** An option of another proxy that is accepted, so that its command lines keep working. docs/migrating.md lists them. */
export interface Spelling {
  readonly written: string;
  /** Our option; with a value, for one that takes none. Empty: it asks for what is so anyway. */
  readonly means: string;
}

export const SPELLINGS: readonly Spelling[] = [
  { written: "--apiKey", means: "--auth-key" },
  { written: "--sseEndpoint", means: "--sse-path" },
  { written: "--streamEndpoint", means: "--mcp-path" },
  { written: "--requestTimeout", means: "--request-timeout" },
  { written: "--connectionTimeout", means: "--start-timeout" },
  { written: "--gracefulShutdownTimeout", means: "--shutdown-timeout" },
  { written: "--maxBodySize", means: "--max-body" },
  { written: "--upstreamProtocol", means: "--era" },
  { written: "--sslCert", means: "--ssl-cert" },
  { written: "--sslKey", means: "--ssl-key" },
  { written: "--sslCa", means: "--ssl-ca" },
  { written: "--sse-port", means: "--port" },
  { written: "--sse-host", means: "--host" },
  { written: "--allow-origin", means: "--cors-origin" },
  { written: "--named-server-config", means: "--config" },
  { written: "--stateless", means: "--sessions=none" },
  { written: "--no-stateless", means: "--sessions=shared" },
  { written: "--pass-environment", means: "--pass-env=*" },
  { written: "--no-pass-environment", means: "--pass-env=" },
  { written: "--no-debug", means: "" },
];

/** Values of theirs, by our option. */
export const VALUE_SPELLINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "--server": { stream: "mcp" },
  "--log-level": { DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error", CRITICAL: "error" },
};

/** Their parser takes an option in camel case and in kebab case. */
export function spellingOf(name: string): Spelling | undefined {
  return SPELLINGS.find(({ written }) => written === name || inKebabCase(written) === name);
}

function inKebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** An option as it was written, and what it is in our words. */
export interface Meant {
  readonly written: string;
  readonly option: string;
  readonly value?: string;
  /** It is one part of a list. */
  readonly addsUp?: true;
}

/**
 * What is said twice must be the same, or parts of one list: which of the two would count, nobody could tell.
 * The values stay out of the message: a key may be one.
 * @throws ConfigurationError
 */
export function refuseContradictions(all: readonly Meant[]): void {
  for (const [index, later] of all.entries()) {
    const earlier = all.slice(0, index).find((before) => contradict(before, later));
    if (!earlier) continue;
    const [one, other] = [earlier.written, later.written];
    throw new ConfigurationError(
      one === other
        ? `${one} is given twice, with different values`
        : `${one} and ${other} are the same option, with different values`,
    );
  }
}

function contradict(one: Meant, other: Meant): boolean {
  return one.option === other.option && one.value !== other.value && !(one.addsUp && other.addsUp);
}
