import type { Variables } from "../configuration/expand.ts";
import { isObject } from "../jsonrpc.ts";
import { commanderOption, nameOf } from "./command-option.ts";
import type { CommandOption } from "./command-option.ts";

/** Option values as commander gives them. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | null | undefined>>;

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
