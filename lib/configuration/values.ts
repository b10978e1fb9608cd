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

/** @throws ConfigurationError for anything but a whole number from `min` up */
export function wholeNumber(text: string, name: string, min = 1): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= min) return number;
  throw new ConfigurationError(`${name}: expected a whole number of at least ${min}, found "${text}"`);
}

/** @throws ConfigurationError for anything but `true` and `false` */
export function truth(text: string | undefined, name: string): boolean {
  if (text === undefined || text === "" || text === "false") return false;
  if (text === "true") return true;
  throw new ConfigurationError(`${name}: expected true or false, found "${text}"`);
}

/** @throws ConfigurationError */
export function toLogLevel(text = "info"): LogLevel {
  const level = LOG_LEVELS.find((candidate) => candidate === text);
  if (level) return level;
  throw new ConfigurationError(`LOG_LEVEL: expected one of ${LOG_LEVELS.join(", ")}, found "${text}"`);
}
