import type { Readable } from "node:stream";

import { readLines } from "../lines.ts";

/** An event of a stream. Source: HTML, 9.2.6 (Interpreting an event stream). */
export interface StreamEvent {
  /** @default "message" */
  readonly type: string;
  readonly data: string;
  /** The last id that the stream has set; "" once it is reset. */
  readonly id: string | undefined;
  /** Milliseconds to wait before coming back, as the stream has said last. */
  readonly retryMs: number | undefined;
}

/**
 * The events of a stream that carry data or set an id, until it ends or the signal fires. Pulls.
 * @throws LineTooLong
 */
export async function* readEvents(
  body: Readable,
  maxLineBytes: number,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void, void> {
  throw new Error("to be written");
  for await (const line of readLines(body, maxLineBytes, signal)) void line;
}
