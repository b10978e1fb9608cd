import type { Logger } from "../logger.ts";

/** Lines in a minute. A remote decides how many there are, and a client may keep them all in a file. */
const MAX_LINES = 100;
const MINUTE_MS = 60_000;

type Level = Exclude<keyof Logger, "debug">;

/**
 * The log without what is too much of it: of a minute with more lines, the rest is counted, and told with the next line
 * after it. What is asked for by the level `debug` is not counted.
 * @param now milliseconds from any fixed point
 */
export function rationed(logger: Logger, now: () => number = () => performance.now()): Logger {
  let minute = { startedAt: Number.NEGATIVE_INFINITY, lines: 0 };
  const write =
    (level: Level): Logger[Level] =>
    (fields, message) => {
      if (now() - minute.startedAt >= MINUTE_MS) {
        tellRest(minute.lines, logger);
        minute = { startedAt: now(), lines: 0 };
      }
      minute.lines += 1;
      if (minute.lines <= MAX_LINES) logger[level](fields, message);
    };
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}

function tellRest(lines: number, logger: Logger): void {
  if (lines > MAX_LINES)
    logger.warn({ lines: lines - MAX_LINES }, "Lines were left out: there were too many");
}
