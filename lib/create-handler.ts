import type { HandlerOptions } from "./configuration/options.ts";
import { createHandlerOver } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { createSessions } from "./sessions/index.ts";

/**
 * Puts stdio MCP servers behind HTTP: every request that needs a server gets a process of its own, which ends with it,
 * unless `sessions` or `transports` say otherwise.
 * @throws ConfigurationError
 */
export function createHandler(options: HandlerOptions): Handler {
  return createHandlerOver(options, createSessions);
}
