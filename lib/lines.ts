import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

const NEWLINE = 0x0a;
/** Lines in one piece of a stream: more than a server has a reason to write at once. */
const MANY_LINES = 100;

/** A line grew beyond its limit before it ended. */
export class LineTooLong extends Error {
  override readonly name = "LineTooLong";
}

/** A stream held more than it may in all. */
export class OutputTooLong extends Error {
  override readonly name = "OutputTooLong";
}

/**
 * The lines of a stream that hold something, without their line feed; the rest after the last line feed counts as a line.
 * Pulls: a reader that pauses fills the pipe, and the writer waits. Ends with the stream or the signal.
 * @param maxLineBytes a longer line throws {@link LineTooLong}, before it is complete.
 * @param maxBytes more of them in all, line feeds counted, throw {@link OutputTooLong}. @default as many as there are
 */
export async function* readLines(
  stream: Readable,
  maxLineBytes: number,
  signal: AbortSignal,
  maxBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<string, void, void> {
  const line = createLine(maxLineBytes);
  const spend = budgetOf(maxBytes);
  for (let chunk = await nextChunk(stream, signal); chunk; chunk = await nextChunk(stream, signal)) {
    let start = 0;
    let lines = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      spend(end + 1 - start);
      line.add(chunk.subarray(start, end));
      const text = line.take();
      start = end + 1;
      lines += 1;
      if (text !== "") yield text;
    }
    spend(chunk.length - start);
    line.add(chunk.subarray(start));
    // A flood of lines is read without a pause for anything else, and time limits are something else.
    if (lines > MANY_LINES) await nextTurn();
  }
  const rest = line.take();
  if (rest !== "" && !signal.aborted) yield rest;
}

function budgetOf(maxBytes: number): (bytes: number) => void {
  let left = maxBytes;
  return (bytes) => {
    left -= bytes;
    if (left < 0) throw new OutputTooLong();
  };
}

/** Gathers the pieces of a line; decodes it whole, since a piece may end inside a character. */
function createLine(maxLineBytes: number): { add(piece: Buffer): void; take(): string } {
  let pieces: Buffer[] = [];
  let bytes = 0;
  return {
    add(piece) {
      bytes += piece.length;
      if (bytes > maxLineBytes) throw new LineTooLong();
      pieces.push(piece);
    },
    take() {
      const text = Buffer.concat(pieces, bytes).toString("utf8");
      pieces = [];
      bytes = 0;
      return text;
    },
  };
}

async function nextChunk(stream: Readable, signal: AbortSignal): Promise<Buffer | undefined> {
  while (!signal.aborted) {
    const chunk = stream.read() as Buffer | null;
    if (chunk) return chunk;
    if (stream.readableEnded || stream.destroyed) return undefined;
    await readableOrEnded(stream, signal);
  }
  return undefined;
}

const WAKING_EVENTS = ["readable", "end", "error", "close"] as const;

/** Not `events.once`: that rejects on `error`, and here a broken pipe is an end like any other. */
function readableOrEnded(stream: Readable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      for (const event of WAKING_EVENTS) stream.off(event, wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    for (const event of WAKING_EVENTS) stream.on(event, wake);
    signal.addEventListener("abort", wake);
  });
}
