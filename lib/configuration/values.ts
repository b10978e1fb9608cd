import { LOG_LEVELS } from "../logger.ts";
import type { LogLevel } from "../logger.ts";
import { ConfigurationError } from "./error.ts";
import { INPUT_MODES } from "./options.ts";
import type { HandlerOptions, ToolFilter } from "./options.ts";

/** A list as one option or variable holds it: separated by commas. For entries that may hold spaces. */
export function list(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** A list of names, none of which can hold a space: separated by commas or spaces. */
export function names(text: string | undefined): string[] {
  return (text ?? "").split(/[,\s]+/).filter((entry) => entry !== "");
}

/** @throws ConfigurationError for anything but a whole number from `min` to `max` */
export function wholeNumber(text: string, name: string, min = 1, max = Number.MAX_SAFE_INTEGER): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new ConfigurationError(`${name}: expected a whole number ${range}, found "${text}"`);
}

/** @throws ConfigurationError for anything but `true` and `false` */
export function truth(text: string | undefined, name: string): boolean {
  if (text === undefined || text === "" || text === "false") return false;
  if (text === "true") return true;
  throw new ConfigurationError(`${name}: expected true or false, found "${text}"`);
}

/** @throws ConfigurationError for anything but one of the values */
export function oneOf<Value extends string>(text: string, name: string, values: readonly Value[]): Value {
  const value = values.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw new ConfigurationError(`${name}: expected one of ${values.join(", ")}, found "${text}"`);
}

/** @throws ConfigurationError */
export function toLogLevel(text = "info", name = "LOG_LEVEL"): LogLevel {
  return oneOf(text, name, LOG_LEVELS);
}

/**
 * How questions of servers are dealt with.
 * @param name of the option or variable that holds the mode
 * @throws ConfigurationError
 */
export function inputOptions(
  mode: string | undefined,
  secrets: string | undefined,
  name: string,
): Pick<HandlerOptions, "inputMode" | "stateSecrets"> {
  const stateSecrets = list(secrets);
  return {
    ...(mode && { inputMode: oneOf(mode, name, INPUT_MODES) }),
    ...(stateSecrets.length > 0 && { stateSecrets }),
  };
}

/**
 * The tools that options name; what is not given is left to the file.
 * @throws ConfigurationError for an option that names none: an unset variable must neither open nor close a server
 */
export function toolFilter(allow: string | undefined, deny: string | undefined): ToolFilter {
  return {
    ...(allow !== undefined && { allow: toolNames(allow, "--allow-tools") }),
    ...(deny !== undefined && { deny: toolNames(deny, "--deny-tools") }),
  };
}

/** The name of a tool may hold a space, though hardly any does: more likely, two were meant. */
function toolNames(text: string, option: string): string[] {
  const found = list(text);
  if (found.length === 0) throw new ConfigurationError(`${option}: expected names of tools, found "${text}"`);
  const spaced = found.find((name) => /\s/.test(name));
  if (spaced === undefined) return found;
  throw new ConfigurationError(
    `${option}: names of tools are separated by commas, found "${spaced}"; * stands for a space in a name`,
  );
}
