/** Members of `_meta` that the protocol defines. Source: 2026-07-28/basic, General fields. */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;

/** The extension that needs a server which remembers. Source: 2025-11-25/basic/utilities/tasks. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

/** Client capabilities by which a server asks its client back. Source: 2026-07-28/client. */
export const INPUT_CAPABILITIES = ["elicitation", "sampling", "roots"] as const;

/** Methods whose results carry caching hints. Source: 2026-07-28/server/utilities/caching, Cacheable Results. */
export const CACHEABLE: ReadonlySet<string> = new Set([
  "server/discover",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

/** Methods that may be answered with `input_required`. Source: 2026-07-28/basic/patterns/mrtr, Supported Requests. */
export const MULTI_ROUND_TRIP: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** Source: 2026-07-28/basic/patterns/subscriptions. */
export const LISTEN = "subscriptions/listen";

/** Log levels from the lowest up. Source: 2026-07-28/server/utilities/logging, Log Levels. */
export const LOG_LEVELS = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
] as const;
