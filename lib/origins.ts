import { ConfigurationError } from "./configuration/error.ts";
import type { CorsOptions } from "./configuration/options.ts";
import type { Logger } from "./logger.ts";
import { decided } from "./promises.ts";

/** Whether a page of that origin was invited. Never rejects. */
export type OriginCheck = (origin: string) => Promise<boolean>;

/** The pattern of every origin, also of those that have no name. */
export const ANY = "*";

/** @throws ConfigurationError for what is no pattern of an origin */
export function createOriginCheck(origins: CorsOptions["origins"], logger: Logger): OriginCheck {
  if (typeof origins === "function") return guarded(origins, logger);
  if (origins.includes(ANY)) return () => Promise.resolve(true);
  const patterns = origins.map(compile);
  return (origin) => Promise.resolve(patterns.some((pattern) => pattern.test(origin)));
}

/** A check that fails has not said yes. */
function guarded(
  decide: Extract<CorsOptions["origins"], (origin: string) => unknown>,
  logger: Logger,
): OriginCheck {
  return async (origin) => {
    try {
      const answer: unknown = await decided("cors.origins", () => decide(origin));
      return answer === true;
    } catch (err) {
      logger.error({ err }, "cors.origins failed: the origin is refused");
      return false;
    }
  };
}

const PATTERN = /^([a-z][a-z\d+.-]*:\/\/)(\*\.)?([^\s/?#@*:\\]+|\[[\d.:a-f]+\])(:(?:\d+|\*))?$/;

function compile(text: string): RegExp {
  const [, scheme, below, host, port] = PATTERN.exec(text.toLowerCase().replace(/\/$/, "")) ?? [];
  if (scheme === undefined || host === undefined) throw notAnOrigin(text);
  const labels = below === undefined ? "" : String.raw`(?:[\w-]+\.)+`;
  const end = port === ":*" ? String.raw`:\d+` : writtenPort(scheme, port);
  return new RegExp(`^${escaped(scheme)}${labels}${escaped(asciiHost(host, text))}${end}$`);
}

function notAnOrigin(text: string): ConfigurationError {
  return new ConfigurationError(
    `cors: "${text}" is no origin: expected https://app.example.com, https://*.example.com, http://localhost:* or *`,
  );
}

const DEFAULT_PORTS = new Set(["http://:80", "https://:443"]);

/** A browser leaves the default port out. Source: HTML, serialization of an origin. */
function writtenPort(scheme: string, port = ""): string {
  return DEFAULT_PORTS.has(scheme + port) ? "" : port;
}

/** A browser writes a name with other letters in its ASCII form. */
function asciiHost(host: string, text: string): string {
  if (!URL.canParse(`https://${host}`)) throw notAnOrigin(text);
  return new URL(`https://${host}`).hostname;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
