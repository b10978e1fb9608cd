import type { ServerConfig } from "../configuration/options.ts";
import type { Variables } from "../configuration/expand.ts";
import { isObject } from "../jsonrpc.ts";
import { commanderOption, nameOf } from "./command-option.ts";
import type { CommandOption } from "./command-option.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";
import type { Settings } from "./serve-options.ts";

/** Option values as commander gives them. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | null | undefined>>;

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

interface Given {
  readonly text: string;
  /** What the user wrote it under. */
  readonly name: string;
}

/** An option, and how its value is read. */
interface ReadOption extends CommandOption {
  readonly read?: (text: string, name: string) => unknown;
  readonly readForServers?: (text: string, name: string) => unknown;
}

/** What was asked for by an option, each time that it was; if it was not, by its variable. */
export function given(option: ReadOption, flags: Flags, variables: Variables): Given[] {
  const value = flags[commanderOption(option).attributeName()];
  const name = nameOf(option);
  if (value === undefined || value === null) return givenByVariable(option, variables);
  if (typeof value !== "object") return [{ text: String(value), name }];
  const each = value.map((text) => ({ text, name }));
  return option.repeats === "list" ? [joined(each, option, name)] : each;
}

/** Each part must be right for itself: one that names nothing could hide beside the others. */
function joined(parts: readonly Given[], { read, readForServers }: ReadOption, name: string): Given {
  for (const { text } of parts) {
    read?.(text, name);
    readForServers?.(text, name);
  }
  return { text: parts.map(({ text }) => text).join(","), name };
}

/** An empty variable counts as none: that is how one is left out in a compose file. */
function givenByVariable({ variable: name }: CommandOption, variables: Variables): Given[] {
  const text = name && variables[name];
  return name && text ? [{ text, name }] : [];
}

/** The first with what the second says in its place; of objects, member by member. */
export function over<Value extends object>(below: Value, above: Value | undefined): Value {
  const all = { ...below } as Record<string, unknown>;
  for (const [key, value] of Object.entries(above ?? {})) {
    const before = all[key];
    all[key] = isObject(before) && isObject(value) ? { ...before, ...value } : value;
  }
  return all as Value;
}
