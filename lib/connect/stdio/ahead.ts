import { PassThrough, pipeline } from "node:stream";
import type { Readable } from "node:stream";

/** An input that is read before anybody wants what it holds: a stream that nobody reads does not say that it has ended. */
export interface Ahead {
  readonly stream: Readable;
  /** Whether all of the input has been read, or it broke. */
  readonly hasEnded: boolean;
}

/** Bytes that are read before they are wanted: the longest line of a client. One that has written more is not read on. */
const MAX_AHEAD_BYTES = 64 * 1024 ** 2;

/** @param ended is called once, when the last of the input has been read, or it broke */
export function readAhead(input: Readable, ended: () => void): Ahead {
  const stream = new PassThrough({ highWaterMark: MAX_AHEAD_BYTES });
  let hasEnded = false;
  const end = (): void => {
    if (!hasEnded) ended();
    hasEnded = true;
  };
  input.once("end", end).once("close", end);
  // A broken input is an end like any other, and its reader sees one.
  pipeline(input, stream, end);
  return {
    stream,
    get hasEnded() {
      return hasEnded;
    },
  };
}
