import { ConfigurationError } from "./configuration/error.ts";
import type { CorsOptions, HandlerOptions } from "./configuration/options.ts";
import { ANY } from "./hosts.ts";
import type { IncomingRequest } from "./incoming.ts";
import type { Logger } from "./logger.ts";
import { createOriginCheck } from "./origins.ts";

/** Where a request comes from, as its browser says. */
export interface Page {
  /** Null: it comes from no page, or from one of our own that only reads. */
  readonly origin: string | null;
  /** Whether the operator invited it: then it may call, and read the answers. */
  readonly invited: boolean;
}

/** What browsers are told. Source: Fetch standard, 3.2 CORS protocol. */
export interface Cors {
  /** Never rejects. */
  pageOf(request: IncomingRequest): Promise<Page>;
  /** The answer to OPTIONS, also for what does not exist: a page could not read the 404 of its request else. */
  preflight(request: IncomingRequest, page: Page): Response;
  /** Lets a page that was invited read the answer. */
  expose(response: Response, page: Page): Response;
}

type Policy = Required<CorsOptions>;

const METHODS = ["POST", "GET", "DELETE", "OPTIONS"];
/** Headers of answers that a page needs to speak MCP. */
export const EXPOSED = ["Mcp-Session-Id", "MCP-Protocol-Version", "WWW-Authenticate", "Retry-After"];
const MAX_AGE_SECONDS = 86_400;

/** @throws ConfigurationError */
export function createCors(options: Pick<HandlerOptions, "cors" | "corsOrigins">, logger: Logger): Cors {
  const policy = policyOf(options);
  const isInvited = createOriginCheck(policy.origins, logger);
  const any = isAny(policy);
  return {
    pageOf: async ({ headers }) => {
      const origin = headers.get("origin");
      return { origin, invited: any || (origin !== null && (await isInvited(origin))) };
    },
    preflight: (request, page) => preflight(request, page, policy),
    expose: (response, page) => expose(response, page, policy),
  };
}

function policyOf({ cors, corsOrigins = [] }: Pick<HandlerOptions, "cors" | "corsOrigins">): Policy {
  if (cors && corsOrigins.length > 0) {
    throw new ConfigurationError("corsOrigins: cors.origins says already which origins may call");
  }
  const { origins, methods = METHODS, allowedHeaders = [ANY], ...rest } = cors ?? { origins: corsOrigins };
  const { exposedHeaders = EXPOSED, credentials = false, maxAgeSeconds = MAX_AGE_SECONDS } = rest;
  const policy = { origins, methods, allowedHeaders, exposedHeaders, credentials, maxAgeSeconds };
  check(policy);
  return policy;
}

/** The characters of a method and of a header's name. Source: RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

function check(policy: Policy): void {
  const { maxAgeSeconds, credentials, methods, exposedHeaders } = policy;
  for (const name of ["methods", "allowedHeaders", "exposedHeaders"] as const) {
    const wrong = policy[name].find((entry) => !TOKEN.test(entry));
    if (wrong !== undefined) throw new ConfigurationError(`cors.${name}: "${wrong}" is not a name`);
  }
  if (!Number.isSafeInteger(maxAgeSeconds) || maxAgeSeconds < 0) {
    throw new ConfigurationError(`cors.maxAgeSeconds: expected a whole number, found ${maxAgeSeconds}`);
  }
  if (!credentials) return;
  if (isAny(policy))
    throw new ConfigurationError('cors.credentials: not for every origin: list them without "*"');
  if ([...methods, ...exposedHeaders].includes(ANY)) {
    throw new ConfigurationError('cors.credentials: "*" is no wildcard with them: list methods and headers');
  }
}

function isAny({ origins }: Policy): boolean {
  return typeof origins !== "function" && origins.includes(ANY);
}

/** Whether another origin would get another answer. */
function depends({ origins }: Policy): boolean {
  return typeof origins === "function" || (origins.length > 0 && !origins.includes(ANY));
}

function preflight({ headers }: IncomingRequest, { invited }: Page, policy: Policy): Response {
  const response = new Response(null, { status: 204, headers: { Allow: METHODS.join(", ") } });
  if (!invited) return response;
  const allowed = allowedHeaders(headers.get("access-control-request-headers"), policy);
  const isPrivate = headers.get("access-control-request-private-network") === "true";
  response.headers.set("Vary", "Access-Control-Request-Headers");
  response.headers.set("Access-Control-Allow-Methods", policy.methods.join(", "));
  response.headers.set("Access-Control-Max-Age", String(policy.maxAgeSeconds));
  if (allowed !== "") response.headers.set("Access-Control-Allow-Headers", allowed);
  // A page of the Internet may call a local address. Source: WICG, Private Network Access.
  if (isPrivate) response.headers.set("Access-Control-Allow-Private-Network", "true");
  return response;
}

/** More and longer names than these are an attempt to make us write a lot. */
const MAX_NAMES = 64;
const MAX_NAME = 128;

/** The names that were asked for, and not `*`: that stands for no Authorization, and for nothing with credentials. */
function allowedHeaders(asked: string | null, policy: Policy): string {
  if (!policy.allowedHeaders.includes(ANY)) return policy.allowedHeaders.join(", ");
  const names = (asked ?? "").split(",").map((name) => name.trim());
  return names
    .filter((name) => name.length <= MAX_NAME && TOKEN.test(name))
    .slice(0, MAX_NAMES)
    .join(", ");
}

function expose(response: Response, { origin, invited }: Page, policy: Policy): Response {
  const { credentials, exposedHeaders } = policy;
  const { headers } = response;
  // Also for the others, and without an origin: a cache must not give one page the answer to another.
  if (depends(policy)) headers.append("Vary", "Origin");
  if (!invited) return response;
  headers.set("Access-Control-Allow-Origin", isAny(policy) ? ANY : (origin ?? ""));
  if (credentials) headers.set("Access-Control-Allow-Credentials", "true");
  headers.set("Access-Control-Expose-Headers", exposedHeaders.join(", "));
  return response;
}
