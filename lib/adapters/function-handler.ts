import type { Variables } from "../configuration/expand.ts";
import type { HandlerOptions } from "../configuration/options.ts";
import { toLogLevel } from "../configuration/values.ts";
import { MayflyError } from "../errors.ts";
import { createHandlerOver } from "../handler.ts";
import type { Handler } from "../handler.ts";
import { jsonLogger } from "../logger.ts";
import type { Logger, Print } from "../logger.ts";
import { errorResponse } from "../response.ts";
import { functionOptions, refuseWhatOutlives } from "./function-options.ts";

/**
 * Makes what a function answers with, of its variables. What cannot be made is an answer, and not a crash while loading:
 * the platform would tell its caller nothing.
 * @param make is given the options, with the logger
 * @param broken is given what is wrong with the configuration
 * @param print where the log goes, @default stderr
 */
export function fromVariables<Made>(
  variables: Variables,
  make: (options: HandlerOptions & { readonly logger: Logger }) => Made,
  broken: (error: unknown, logger: Logger) => Made,
  print?: Print,
): Made {
  try {
    const logger = jsonLogger(toLogLevel(variables["LOG_LEVEL"]), print);
    return make({ ...functionOptions(variables), logger });
  } catch (error) {
    return broken(error, jsonLogger("info", print));
  }
}

/**
 * A handler whose processes end when the platform ends the function.
 * @throws ConfigurationError
 */
export function createFunctionHandler(options: HandlerOptions): Handler {
  refuseWhatOutlives(options);
  const handler = createHandlerOver(options, () => undefined);
  process.once("SIGTERM", () => stop(handler));
  return handler;
}

/** The platform gives 500 ms: nothing can be finished, and nothing may stay. To listen also means to have to end. */
function stop(handler: Handler): void {
  handler.kill();
  if (process.listenerCount("SIGTERM") === 0) process.kill(process.pid, "SIGTERM");
}

/** The reason stays in the log: a broken configuration has no key yet that could tell who may read it. */
export function misconfigured(error: unknown, logger: Logger): Pick<Handler, "fetch"> {
  return {
    fetch: () => {
      logger.error({ err: String(error) }, "The function is not configured");
      return Promise.resolve(errorResponse(new MayflyError("MISCONFIGURED")));
    },
  };
}
