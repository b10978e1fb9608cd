import type { Readable } from "node:stream";

/** Milliseconds, and bytes, of the rest of an answer that is read to keep the connection. */
const REST_MS = 250;
const REST_BYTES = 64 * 1024;

/**
 * Leaves a body that nobody reads to its end. What is left of it is read if it is little, since a new connection takes
 * far longer; else, and when the signal has fired, the connection is ended.
 */
export function leave(body: Readable, signal: AbortSignal): void {
  if (body.readableEnded || body.destroyed) return;
  if (signal.aborted) {
    body.destroy();
    return;
  }
  let left = REST_BYTES;
  const stop = (): unknown => body.destroy();
  const timer = setTimeout(stop, REST_MS);
  signal.addEventListener("abort", stop);
  body.once("close", () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  });
  body.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) body.destroy();
  });
  body.resume();
}
