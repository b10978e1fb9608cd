import { constants, accessSync } from "node:fs";
import { delimiter, resolve } from "node:path";

import type { StdioServerParameters } from "../child.ts";
import type { HandlerOptions } from "../configuration/options.ts";
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
  const servers = createServers(options, process.env);
  const all = servers.names.map((name) => [name, servers.find(name).parameters] as const);
  return all.flatMap(([server, parameters]) =>
    process.platform === "win32" || isThere(parameters) ? [] : [{ server, command: parameters.command }],
  );
}

function isThere({ command, env, cwd }: StdioServerParameters): boolean {
  if (command.includes("/")) return isExecutable(resolve(cwd, command));
  const folders = (env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => isExecutable(resolve(cwd, folder, command)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
