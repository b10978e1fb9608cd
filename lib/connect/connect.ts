import type { ConnectOptions, Connection } from "./options.ts";

/** Puts a remote MCP server behind stdio. @throws ConfigurationError */
export function connect(_options: ConnectOptions): Connection {
  throw new Error("to be written");
}
