import { splitCommandLine } from "../configuration/command-line.ts";
import { ConfigurationError } from "../configuration/error.ts";
import { SERVER_NAME } from "../configuration/mcp-config.ts";
import type { ServerConfig } from "../configuration/options.ts";

/** `NAME=VALUE`. @throws ConfigurationError */
export function readVariable(pair: string, name: string): Record<string, string> {
  const at = pair.indexOf("=");
  if (at < 1) throw new ConfigurationError(`${name}: expected NAME=VALUE, found "${pair}"`);
  return { [pair.slice(0, at)]: pair.slice(at + 1) };
}

/** `NAME=COMMAND LINE`, which is split with quotes respected and without a shell. @throws ConfigurationError */
export function readNamedServer(pair: string, option: string): Record<string, ServerConfig> {
  const at = pair.indexOf("=");
  const name = pair.slice(0, Math.max(at, 0));
  if (!SERVER_NAME.test(name)) {
    throw new ConfigurationError(`${option}: expected a name and a command line, found "${pair}"`);
  }
  const [command, ...args] = splitCommandLine(pair.slice(at + 1), `${option} ${name}`);
  return { [name]: { command, args } };
}
