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

/** Takes a line of the log, and the level that it stands for. */
export type Print = (line: string, level: Exclude<LogLevel, "silent">) => void;

const onStderr: Print = (line) => console.error(line);

/** JSON lines, for hosts that collect them. @param print where they go, @default stderr */
export function jsonLogger(level: LogLevel, print: Print = onStderr): Logger {
  const write = (name: Parameters<Print>[1]) => (fields: object, message: string) => {
    if (LOG_LEVELS.indexOf(name) < LOG_LEVELS.indexOf(level)) return;
    print(JSON.stringify({ level: name, time: Date.now(), ...fields, msg: message }), name);
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
