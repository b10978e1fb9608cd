import type { HandlerOptions } from "../../configuration/options.ts";
import { toMayflyError } from "../../errors.ts";
import type { Handler } from "../../handler.ts";
import { silentLogger } from "../../logger.ts";
import type { Logger } from "../../logger.ts";
import { once } from "../../promises.ts";
import { errorResponse } from "../../response.ts";
import { secured } from "../../security-headers.ts";
import { createFunctionHandler, misconfigured } from "../function-handler.ts";
import { toRequest } from "./http-event.ts";
import type { Invocation } from "./invocation.ts";
import type { HttpEvent } from "./platform.ts";

type Fetch = Handler["fetch"];

/** What answers the events of a function. */
export interface Source {
  /** For requests that came over HTTP, from whoever knows the address. */
  readonly fetch: Fetch;
  /** For tool calls of AgentCore Gateway, which IAM has let in: without keys. */
  readonly fetchInvoked: Fetch;
  readonly servers: readonly string[];
  readonly logger: Logger;
}

/** @throws ConfigurationError */
export function createSource(options: HandlerOptions): Source {
  const invoked = once(() => createFunctionHandler(withoutRules(options)));
  return {
    fetch: createFunctionHandler(options).fetch,
    fetchInvoked: (request, context) => invoked().fetch(request, context),
    servers: Object.keys(options.mcpServers),
    logger: options.logger ?? silentLogger,
  };
}

/** Which callers and which paths: rules for HTTP. */
function withoutRules(options: HandlerOptions): HandlerOptions {
  const {
    authKeys: _k,
    authenticate: _a,
    allowedHosts: _h,
    cors: _c,
    corsOrigins: _o,
    paths: _p,
    ...rest
  } = options;
  return { ...rest, allowAnonymous: true };
}

export function brokenSource(error: unknown, logger: Logger): Source {
  const { fetch } = misconfigured(error, logger);
  return { fetch, fetchInvoked: fetch, servers: [], logger };
}

/**
 * Never rejects: an event that is no valid request has an answer too.
 * @param signal fires when the client has gone
 */
export async function respondTo(
  event: HttpEvent,
  { fetch, logger }: Source,
  { context }: Invocation,
  signal?: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(toRequest(event), { ...context, signal });
  } catch (error) {
    const failure = toMayflyError(error);
    if (failure.code === "INTERNAL") logger.error({ err: String(error) }, failure.message);
    return secured(errorResponse(failure));
  }
}

export async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array, void, void> {
  if (body) yield* body as ReadableStream<Uint8Array>;
}
