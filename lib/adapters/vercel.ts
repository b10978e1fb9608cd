import type { IncomingRequest, RequestContext } from "../incoming.ts";
import { once } from "../promises.ts";
import { createFunctionHandler, fromVariables, misconfigured } from "./function-handler.ts";

/** A Vercel function: `export { default } from "mcp-mayfly/vercel"` is a whole `api/mcp.ts`. */
export interface VercelFunction {
  /** Called without `this`. Never rejects. */
  readonly fetch: (request: IncomingRequest) => Promise<Response>;
}

/** Made at the first request and not while loading: a broken configuration is an answer, not a crash. */
const handlerOnce = once(() => fromVariables(process.env, createFunctionHandler, misconfigured));

const vercelFunction: VercelFunction = {
  fetch: (request) => handlerOnce().fetch(withOriginalPath(request), platformContext()),
};
export default vercelFunction;

/** Rewrites keep the path that was asked for; the function's own path stands for the bare one. */
function withOriginalPath(request: IncomingRequest): IncomingRequest {
  const { method, headers, body, signal } = request;
  const url = new URL(request.url);
  url.pathname = url.pathname.replace(/^\/api(?=\/mcp\/?$)/, "");
  return { method, headers, body, url: url.href, ...(signal && { signal }) };
}

const REQUEST_CONTEXT = Symbol.for("@vercel/request-context");

interface PlatformContext {
  readonly waitUntil?: (promise: Promise<unknown>) => void;
  readonly deadline?: string | number | Date;
}

/** What `@vercel/functions` reads, without the dependency. */
function platformContext(): RequestContext {
  const holder = globalThis as { [REQUEST_CONTEXT]?: { get?: () => PlatformContext | undefined } };
  const platform = holder[REQUEST_CONTEXT]?.get?.();
  const time = new Date(platform?.deadline ?? Number.NaN).getTime();
  return {
    waitUntil: (promise) => platform?.waitUntil?.(promise),
    deadline: Number.isNaN(time) ? undefined : time,
  };
}
