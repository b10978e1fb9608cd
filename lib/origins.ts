import { ConfigurationError } from "./configuration/error.ts";
import type { CorsOptions } from "./configuration/options.ts";
import { ANY, readHost } from "./hosts.ts";
import type { Logger } from "./logger.ts";
import { decided } from "./promises.ts";

/** Whether a page of that origin was invited. Never rejects. */
export type OriginCheck = (origin: string) => Promise<boolean>;

/** `*` stands for every origin, also for those that have no name. @throws ConfigurationError for what is no pattern of an origin */
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

const ORIGIN = /^([a-z][a-z\d+.-]*:\/\/)(.*)$/;

function compile(text: string): RegExp {
  const [, scheme = "", rest = ""] = ORIGIN.exec(text.toLowerCase().replace(/\/$/, "")) ?? [];
  const host = readHost(rest);
  if (!host) throw notAnOrigin(text);
  const end = host.port === ANY ? String.raw`:\d+` : writtenPort(scheme, host.port);
  // No letter of a scheme but these two means more in a pattern.
  return new RegExp(`^${scheme.replace(/[.+]/g, String.raw`\$&`)}${host.source}${end}$`);
}

function notAnOrigin(text: string): ConfigurationError {
  return new ConfigurationError(
    `cors: "${text}" is no origin: expected https://app.example.com, https://*.example.com, http://localhost:* or *`,
  );
}

const DEFAULT_PORTS = new Set(["http://80", "https://443"]);

/** A browser leaves the default port out. Source: HTML, serialization of an origin. */
function writtenPort(scheme: string, port: string | undefined): string {
  return port === undefined || DEFAULT_PORTS.has(scheme + port) ? "" : `:${port}`;
}
