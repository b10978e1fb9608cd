import type { StdioServerParameters } from "../child.ts";
import type { HandlerOptions } from "../configuration/options.ts";
import { findProgram } from "../programs.ts";
import { createServers } from "../servers.ts";

/** A server that cannot run. */
export interface MissingProgram {
  readonly server: string;
  readonly command: string;
}

/**
 * Servers whose programs are not there. Starts nothing: a check that does takes as long as all of them together.
 * Of Windows, where a name may stand for several files, nothing is said.
 */
export function missingPrograms(options: HandlerOptions): MissingProgram[] {
  // Its snapshots are read, and what is wrong with them is told, where requests are answered.
  const servers = createServers({ ...options, snapshot: false }, process.env);
  const all = servers.names.map((name) => [name, servers.find(name).parameters] as const);
  return all.flatMap(([server, parameters]) => {
    const command = firstProgram(parameters);
    const isMissing = process.platform !== "win32" && findProgram(command, parameters) === undefined;
    return isMissing ? [{ server, command }] : [];
  });
}

/** What a wrapper finds is known to the wrapper alone: a container has other programs. */
function firstProgram({ command, sandbox }: StdioServerParameters): string {
  return sandbox?.wrapper[0] ?? command;
}
