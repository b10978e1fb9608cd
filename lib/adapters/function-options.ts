import { ConfigurationError } from "../configuration/error.ts";
import type { Variables } from "../configuration/expand.ts";
import { findConfig } from "../configuration/find.ts";
import type { HandlerOptions } from "../configuration/options.ts";
import { inputOptions, list, names, truth, wholeNumber } from "../configuration/values.ts";

/**
 * The options of a function, from its variables and the configuration that they name.
 * @throws ConfigurationError
 */
export function functionOptions(variables: Variables): HandlerOptions {
  const config = findConfig(variables);
  if (!config) throw new ConfigurationError("set MCP_SERVER_CONFIG, or add mcp.json to the project");
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
    ...inputOptions(variables["INPUT_MODE"], variables["STATE_SECRET"], "INPUT_MODE"),
    // What is recorded in the background would be frozen with the function: SNAPSHOT_TTL means nothing here.
    ...(variables["SNAPSHOT"] && { snapshot: truth(variables["SNAPSHOT"], "SNAPSHOT") }),
    ...(allowedHosts.length > 0 && { allowedHosts }),
    ...(maxProcesses && { maxProcesses: wholeNumber(maxProcesses, "MAX_PROCESSES") }),
    ...(maxQueued && { maxQueued: wholeNumber(maxQueued, "MAX_QUEUED", 0) }),
  };
}

/**
 * Refuses what needs a process that outlives its request: the next one may meet another instance, or this one frozen.
 * @throws ConfigurationError
 */
export function refuseWhatOutlives(options: HandlerOptions): void {
  const { mcpServers, inputMode, sessions, transports, snapshotTtlMs = 0 } = options;
  const holding = Object.entries(mcpServers).find(([, server]) => (server.inputMode ?? inputMode) === "hold");
  if (holding) {
    throw new ConfigurationError(
      `mcpServers.${holding[0]}: a function cannot hold a process: use inputMode "rerun"`,
    );
  }
  if (sessions !== undefined && sessions !== "none") {
    throw new ConfigurationError("sessions: a function cannot keep a session: leave it out");
  }
  if (transports?.includes("sse")) {
    throw new ConfigurationError("transports: a function cannot serve HTTP+SSE: leave it out");
  }
  if (snapshotTtlMs > 0) {
    throw new ConfigurationError("snapshotTtlMs: a function cannot record in the background: leave it out");
  }
}
