import { Writable } from "node:stream";

import { pino } from "pino";

import type { LogLevel, Logger } from "../logger.ts";

/** Logs to stderr: lines for people on a terminal, JSON lines otherwise. */
export function createLogger(level: LogLevel): Logger {
  const options = { level, base: null };
  return process.stderr.isTTY
    ? pino(options, prettyLines())
    : pino(options, pino.destination({ dest: 2, sync: true }));
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
