import type { HandlerOptions } from "../configuration/options.ts";
import { createHost } from "../host.ts";
import type { Host } from "../host.ts";
import type { Command } from "../resolve.ts";
import type { Server } from "../servers.ts";

/**
 * Works with a server on a host of its own, of which no process is left afterwards. What was recorded of it before is
 * not read.
 * @throws SERVER_NOT_FOUND, ConfigurationError, and what the work throws
 */
export async function onHostApart<Value>(
  name: string,
  options: HandlerOptions,
  work: (server: Server, host: Host) => Promise<Value>,
): Promise<Value> {
  const host = createHost({ ...options, snapshot: false });
  try {
    return await work(host.servers.find(name), host);
  } finally {
    await host.processes.close();
  }
}

/** The same server, started by another command. */
export function startedBy(server: Server, command: Command): Server {
  return { ...server, parameters: { ...server.parameters, ...command } };
}
