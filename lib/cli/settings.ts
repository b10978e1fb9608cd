import type { ServerConfig } from "../configuration/options.ts";
import type { Variables } from "../configuration/expand.ts";
import { given, over } from "./given.ts";
import type { Flags } from "./given.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";
import type { Settings } from "./serve-options.ts";

/** All that the options and the environment ask for. */
export interface Asked {
  readonly settings: Settings;
  /** What every server gets, over what the file says of it. */
  readonly forServers: Partial<ServerConfig>;
  /** What the user wrote, by what errors of the library call it. */
  readonly names: ReadonlyMap<string, string>;
}

/**
 * Reads what was asked for. An option wins over the environment.
 * @throws ConfigurationError that names the option, or the variable
 */
export function readSettings(flags: Flags, variables: Variables): Asked {
  let [settings, forServers]: [Settings, Partial<ServerConfig>] = [{}, {}];
  const names = new Map<string, string>();
  for (const option of SERVE_OPTIONS) {
    for (const { text, name } of given(option, flags, variables)) {
      settings = over(settings, option.read?.(text, name));
      forServers = over(forServers, option.readForServers?.(text, name));
      for (const place of option.places ?? []) names.set(place, name);
    }
  }
  const { transport, endpoint } = settings;
  if (transport && endpoint !== undefined) names.set(`paths.${transport}`, "--endpoint");
  return { settings, forServers, names };
}
