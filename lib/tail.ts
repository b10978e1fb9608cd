import type { Readable } from "node:stream";

/** Bytes of stderr that are kept to explain a failure. */
const TAIL_BYTES = 8192;

/**
 * Reads a stream to its end, so that its writer never waits, and keeps only the last 8 KiB.
 * @returns a function that gives what is kept
 */
export function keepTail(stream: Readable): () => string {
  let tail = Buffer.alloc(0);
  let isCut = false;
  stream.on("data", (chunk: Buffer) => {
    isCut ||= tail.length + chunk.length > TAIL_BYTES;
    tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
  });
  // A line that has lost its beginning may hold half a secret, which no mask would find.
  return () => (isCut ? tail.subarray(tail.indexOf("\n") + 1) : tail).toString("utf8").trim();
}
