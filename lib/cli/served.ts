import { ConfigurationError } from "../configuration/error.ts";
import { findConfig, findConfigFile, readConfig } from "../configuration/find.ts";
import type { ServerConfig } from "../configuration/options.ts";
import type { ConfigFile, FoundConfig } from "../configuration/find.ts";
import type { Variables } from "../configuration/expand.ts";
import { asWritten, withWritten } from "../configuration/written.ts";
import { over } from "./given.ts";
import type { Asked } from "./settings.ts";

/** What is served: the servers, and the file that they stand in, if there is one. */
export interface Served {
  readonly config: FoundConfig;
  readonly file?: ConfigFile;
}

/**
 * The servers of a command line, with what the options say of each of them; else those of a configuration.
 * @returns undefined if nothing is configured
 * @throws ConfigurationError
 */
export function findServed(words: readonly string[], asked: Asked, variables: Variables): Served | undefined {
  const { config: named, namedServers } = asked.settings;
  if (words.length > 0 || namedServers) {
    refuseBoth(words, asked);
    return { config: withSettings(fromCommandLine(words, asked), asked) };
  }
  const file = findConfigFile(variables, named);
  const config = findConfig(variables, named);
  return config && { config: withSettings(config, asked), ...(file && { file }) };
}

/** Reads the file again. @throws ConfigurationError */
export function readServed(file: ConfigFile, asked: Asked, variables: Variables): FoundConfig {
  return withSettings(readConfig(file, variables), asked);
}

function refuseBoth([first, ...rest]: readonly string[], { settings: { config } }: Asked): void {
  if (config !== undefined) {
    const other =
      first === undefined ? "--named-server" : `a command line already: ${[first, ...rest].join(" ")}`;
    throw new ConfigurationError(`--config: there is ${other}`);
  }
  if (first !== undefined && /^https?:\/\//.test(first)) {
    throw new ConfigurationError(
      "serve takes the command line of a server: for a URL it is mayfly connect URL",
    );
  }
}

/** The command answers on the bare path, those with a name below it. */
function fromCommandLine(words: readonly string[], { settings }: Asked): FoundConfig {
  const { namedServers = {}, shell } = settings;
  const [command, ...args] = words;
  const baseDirectory = process.cwd();
  if (command === undefined) return { mcpServers: namedServers, baseDirectory };
  const program = shell ? throughShell(words.join(" ")) : { command, args };
  const mcpServers = { default: program, ...namedServers };
  if (Object.hasOwn(namedServers, "default")) {
    throw new ConfigurationError("--named-server default: the command line is called so");
  }
  return { mcpServers, ...(settings.namedServers && { default: "default" }), baseDirectory };
}

function throughShell(line: string): { command: string; args: string[] } {
  if (process.platform === "win32") return { command: "cmd.exe", args: ["/d", "/s", "/c", line] };
  return { command: process.env["SHELL"] ?? "/bin/sh", args: ["-c", line] };
}

function withSettings(config: FoundConfig, { forServers }: Asked): FoundConfig {
  const servers = Object.entries(config.mcpServers).map(([name, server]) => [
    name,
    withWritten(over(server, forServers) as ServerConfig, over(asWritten(server), forServers)),
  ]);
  return { ...config, mcpServers: Object.fromEntries(servers) as FoundConfig["mcpServers"] };
}
