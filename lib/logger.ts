/**
 * Where reports go; pino and console fit. Never receives keys or environment values; arguments and results only at the
 * level `debug`, where the operator asks for messages.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on stderr, for hosts that collect them. */
export function jsonLogger(level: LogLevel): Logger {
  const write = (name: LogLevel) => (fields: object, message: string) => {
    if (LOG_LEVELS.indexOf(name) < LOG_LEVELS.indexOf(level)) return;
    console.error(JSON.stringify({ level: name, time: Date.now(), ...fields, msg: message }));
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** For a library user who gives no logger. */
export const silentLogger: Logger = jsonLogger("silent");

/** Characters of a name that the caller chose, in a log line. */
const MAX_NAME = 128;

/** A text that the caller chose, as a line shows it: characters that a terminal obeys, or hides, are none of its own. */
export function printable(text: string): string {
  return shortened(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?"));
}

export function shortened(name: string): string {
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name;
}
