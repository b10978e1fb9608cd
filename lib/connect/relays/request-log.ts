import type { Message, RequestValue } from "../../jsonrpc.ts";
import { printable } from "../../logger.ts";
import type { Logger } from "../../logger.ts";

/** A request that has no answer yet, as the log tells of it. */
export interface Begun {
  readonly method: string;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
}

export function begun({ value: { method } }: Message<RequestValue>): Begun {
  return { method, startedAt: performance.now() };
}

/** Tells the log what became of a request: its method, how long it took and how it ended, and nothing of its content. */
export function logEnd({ method, startedAt }: Begun, outcome: string, logger: Logger): void {
  const durationMs = Math.round(performance.now() - startedAt);
  logger.debug({ method: printable(method), durationMs, outcome }, "request");
}
