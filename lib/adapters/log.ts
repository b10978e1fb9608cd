import { fchmodSync, fstatSync, openSync, writeSync } from "node:fs";
import { Writable } from "node:stream";

import { pino } from "pino";

import { ConfigurationError } from "../configuration/error.ts";
import type { LogLevel, Logger } from "../logger.ts";

/** Logs to stderr: lines for people on a terminal, JSON lines otherwise. */
export function createLogger(level: LogLevel): Logger {
  const options = { level, base: null };
  return process.stderr.isTTY
    ? pino(options, prettyLines())
    : pino(options, pino.destination({ dest: 2, sync: true }));
}

/**
 * Logs JSON lines to the end of a file that nobody else can read: they may hold arguments and results.
 * @param option what an error calls it
 * @throws ConfigurationError if it cannot be written
 */
export function createFileLogger(level: LogLevel, file: string, option: string): Logger {
  const descriptor = openPrivately(file, option);
  let isBroken = false;
  const write = (line: string): void => {
    if (isBroken) return;
    try {
      writeSync(descriptor, line);
    } catch (error) {
      // A disk that is full must not end what is only watched.
      isBroken = true;
      const { code = "unwritable" } = error as NodeJS.ErrnoException;
      process.stderr.write(`mayfly: ${option}: ${file} takes no more (${code})\n`);
    }
  };
  return pino({ level, base: null }, { write });
}

function openPrivately(file: string, option: string): number {
  try {
    const descriptor = openSync(file, "a", 0o600);
    // The mode counts only for a file that is new. A pipe or a terminal stays as it is.
    if (fstatSync(descriptor).isFile()) fchmodSync(descriptor, 0o600);
    return descriptor;
  } catch (cause) {
    const { code = "unwritable" } = cause as NodeJS.ErrnoException;
    throw new ConfigurationError(`${option}: ${file} cannot be written (${code})`, { cause });
  }
}

function prettyLines(): Writable {
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      process.stderr.write(pretty(JSON.parse(line) as Record<string, unknown>), () => done());
    },
  });
}

/** `12:00:01 warn  message  server=everything durationMs=12` */
function pretty({ level, time, msg, ...fields }: Record<string, unknown>): string {
  const clock = new Date(Number(time)).toISOString().slice(11, 19);
  const name = pino.levels.labels[Number(level)] ?? "";
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${plain(value)}`);
  return `${clock} ${name.padEnd(5)} ${[plain(msg), ...rest].join("  ")}\n`;
}

/** Callers and servers choose some of the text: control characters could rewrite what the terminal shows. */
function plain(value: unknown): string {
  return typeof value === "string" && !/\p{Cc}/u.test(value) ? value : JSON.stringify(value);
}
