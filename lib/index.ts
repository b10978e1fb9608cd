export { createHandler } from "./create-handler.ts";
export type { Handler } from "./handler.ts";
export type { IncomingRequest, RequestContext } from "./incoming.ts";
export { ConfigurationError } from "./configuration/error.ts";
export { parseMcpJson, parseMcpServerConfig } from "./configuration/mcp-config.ts";
export type {
  Authenticate,
  AuthenticateRequest,
  Authenticated,
  CorsOptions,
  HandlerOptions,
  McpConfig,
  MessageObserver,
  ServerConfig,
  ServerLimits,
  ServerPermissions,
  SessionInfo,
} from "./configuration/options.ts";
export { createEventStore } from "./event-store.ts";
export type { EventStore, StoredEvent } from "./event-store.ts";
export type { FailureReason } from "./errors.ts";
export type { Logger } from "./logger.ts";
