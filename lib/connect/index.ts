export { ConfigurationError } from "../configuration/error.ts";
export type { Logger } from "../logger.ts";
export { connect } from "./connect.ts";
export type { ConnectOptions, Connection, RemoteTransport } from "./options.ts";
