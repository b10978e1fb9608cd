import type { Readable } from "node:stream";

import { onAbort } from "../../lifetime.ts";

/** Milliseconds, and bytes, of the rest of an answer that is read to keep the connection. */
const REST_MS = 250;
const REST_BYTES = 64 * 1024;

/**
 * Lets go of a body that nobody reads to its end. What is left of it is read if it is little, since a new connection takes
 * far longer; else, and when the signal has fired, the connection is ended.
 */
export function discard(body: Readable, signal: AbortSignal): void {
  if (body.readableEnded || body.destroyed) return;
  let left = REST_BYTES;
  const stop = (): void => void body.destroy();
  const timer = setTimeout(stop, REST_MS);
  const off = onAbort(signal, stop);
  body.once("close", () => {
    clearTimeout(timer);
    off();
  });
  body.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) body.destroy();
  });
  body.resume();
}
