import { ConfigurationError } from "../configuration/error.ts";
import type { Variables } from "../configuration/expand.ts";
import { findConfig } from "../configuration/find.ts";
import type { FoundConfig } from "../configuration/find.ts";
import type { HandlerOptions, InputMode } from "../configuration/options.ts";
import { inputOptions, list, names, toLogLevel, truth, wholeNumber } from "../configuration/values.ts";
import { MayflyError } from "../errors.ts";
import { createHandlerOver } from "../handler.ts";
import type { Handler } from "../handler.ts";
import type { IncomingRequest, RequestContext } from "../incoming.ts";
import { jsonLogger } from "../logger.ts";
import type { Logger } from "../logger.ts";
import { once } from "../promises.ts";
import { errorResponse } from "../response.ts";

/** A Vercel function: `export { default } from "mcp-mayfly/vercel"` is a whole `api/mcp.ts`. */
export interface VercelFunction {
  /** Called without `this`. Never rejects. */
  readonly fetch: (request: IncomingRequest) => Promise<Response>;
}

/** Made at the first request and not while loading: a broken configuration is an answer, not a crash. */
const handlerOnce = once(() => createFunctionHandler(process.env));

const vercelFunction: VercelFunction = {
  fetch: (request) => handlerOnce().fetch(withOriginalPath(request), platformContext()),
};
export default vercelFunction;

function createFunctionHandler(variables: Variables): Pick<Handler, "fetch"> {
  const logger = jsonLogger("info");
  try {
    const options = { ...functionOptions(variables), logger: jsonLogger(toLogLevel(variables["LOG_LEVEL"])) };
    const handler = createHandlerOver(options, () => undefined);
    process.once("SIGTERM", () => stop(handler));
    return handler;
  } catch (error) {
    return { fetch: () => Promise.resolve(misconfigured(error, logger)) };
  }
}

/** The platform gives 500 ms: nothing can be finished, and nothing may stay. To listen also means to have to end. */
function stop(handler: Handler): void {
  handler.kill();
  if (process.listenerCount("SIGTERM") === 0) process.kill(process.pid, "SIGTERM");
}

/** @throws ConfigurationError */
function functionOptions(variables: Variables): HandlerOptions {
  const config = findConfig(variables);
  if (!config) throw new ConfigurationError("set MCP_SERVER_CONFIG, or add mcp.json to the project");
  const input = inputOptions(variables["INPUT_MODE"], variables["STATE_SECRET"], "INPUT_MODE");
  refuseHold(config, input.inputMode);
  const maxProcesses = variables["MAX_PROCESSES"];
  const maxQueued = variables["MAX_QUEUED"];
  const allowedHosts = names(variables["ALLOWED_HOSTS"]);
  return {
    ...config,
    authKeys: list(variables["AUTH_KEY"]),
    allowAnonymous: truth(variables["ALLOW_ANONYMOUS"], "ALLOW_ANONYMOUS"),
    corsOrigins: names(variables["CORS_ORIGIN"]),
    passEnv: names(variables["PASS_ENV"]),
    allowEnv: names(variables["ALLOW_ENV"]),
    ...input,
    ...(allowedHosts.length > 0 && { allowedHosts }),
    ...(maxProcesses && { maxProcesses: wholeNumber(maxProcesses, "MAX_PROCESSES") }),
    ...(maxQueued && { maxQueued: wholeNumber(maxQueued, "MAX_QUEUED", 0) }),
  };
}

/** The client's next request may meet another instance, or this one frozen. */
function refuseHold({ mcpServers }: FoundConfig, inputMode: InputMode | undefined): void {
  const holding = Object.entries(mcpServers).find(([, server]) => (server.inputMode ?? inputMode) === "hold");
  if (!holding) return;
  throw new ConfigurationError(
    `mcpServers.${holding[0]}: a function cannot hold a process: use inputMode "rerun"`,
  );
}

/** The reason stays in the log: a broken configuration has no key yet that could tell who may read it. */
function misconfigured(error: unknown, logger: Logger): Response {
  logger.error({ err: String(error) }, "The function is not configured");
  return errorResponse(new MayflyError("MISCONFIGURED"));
}

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
