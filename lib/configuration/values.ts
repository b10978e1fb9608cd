import { LOG_LEVELS } from "../logger.ts";
import type { LogLevel } from "../logger.ts";
import { ConfigurationError } from "./error.ts";

/** A list as one option or variable holds it: separated by commas. */
export function list(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
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

/** @throws ConfigurationError */
export function toLogLevel(text = "info", name = "LOG_LEVEL"): LogLevel {
  const level = LOG_LEVELS.find((candidate) => candidate === text);
  if (level) return level;
  throw new ConfigurationError(`${name}: expected one of ${LOG_LEVELS.join(", ")}, found "${text}"`);
}
