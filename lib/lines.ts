import { isAscii } from "node:buffer";
import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

import { FREE_LINE_BYTES } from "./line-memory.ts";
import type { LineShare } from "./line-memory.ts";

const NEWLINE = 0x0a;
/** Lines in one piece of a stream: more than a server has a reason to write at once. */
const MANY_LINES = 100;

/** A line grew beyond its limit before it ended. */
export class LineTooLong extends Error {
  override readonly name = "LineTooLong";
  readonly limitBytes: number;

  constructor(limitBytes: number) {
    super();
    this.limitBytes = limitBytes;
  }
}

/** A stream held more than it may in all. */
export class OutputTooLong extends Error {
  override readonly name = "OutputTooLong";
}

/** What else bounds the reading of a stream. */
export interface ReadOptions {
  /** Bytes in all, line feeds counted; more throw {@link OutputTooLong}. @default as many as there are */
  readonly maxBytes?: number | undefined;
  /** Of the memory that a long line takes until the next one is asked for. @default not counted */
  readonly share?: LineShare | undefined;
  /** Called at the end of a line that was too long; it is left out, and what follows it is read. @default throws */
  readonly skipped?: (() => void) | undefined;
}

/**
 * The lines of a stream that hold something, without their line feed; the rest after the last line feed counts as a line.
 * Pulls: a reader that pauses fills the pipe, and the writer waits. Ends with the stream or the signal.
 * @param maxLineBytes a longer line throws {@link LineTooLong}, before it is complete, or is skipped.
 * @throws LineTooLong, OutputTooLong, and what `need` of the share throws
 */
export async function* readLines(
  stream: Readable,
  maxLineBytes: number,
  signal: AbortSignal,
  { maxBytes = Number.POSITIVE_INFINITY, share, skipped }: ReadOptions = {},
): AsyncGenerator<string, void, void> {
  const line = createLine(maxLineBytes, skipped);
  const spend = budgetOf(maxBytes);
  const add = (piece: Buffer): Promise<void> | undefined => {
    line.add(piece);
    return roomFor(line, signal, share);
  };
  try {
    for (let chunk = await nextChunk(stream, signal); chunk; chunk = await nextChunk(stream, signal)) {
      let start = 0;
      let lines = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        spend(end + 1 - start);
        const room = add(chunk.subarray(start, end));
        if (room) await room;
        const text = line.take();
        start = end + 1;
        lines += 1;
        if (text !== "") yield text;
        share?.release();
      }
      spend(chunk.length - start);
      const room = add(chunk.subarray(start));
      if (room) await room;
      // A flood of lines is read without a pause for anything else, and time limits are something else.
      if (lines > MANY_LINES) await nextTurn();
    }
    const rest = line.take();
    if (rest !== "" && !signal.aborted) yield rest;
  } finally {
    share?.release();
  }
}

/** @throws LineTooLong for one that would never find room */
function roomFor(line: Line, signal: AbortSignal, share?: LineShare): Promise<void> | undefined {
  const room = line.room();
  // No promise for each of a million lines.
  if (!share || room <= FREE_LINE_BYTES) return undefined;
  if (room > share.maxBytes) throw new LineTooLong(Math.floor(share.maxBytes / 2));
  return share.need(room, signal);
}

function budgetOf(maxBytes: number): (bytes: number) => void {
  let left = maxBytes;
  return (bytes) => {
    left -= bytes;
    if (left < 0) throw new OutputTooLong();
  };
}

const EMPTY = Buffer.alloc(0);

/** Gathers the pieces of a line; decodes it whole, since a piece may end inside a character. */
export function createLine(maxLineBytes: number, skipped?: () => void): Line {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let isWide = false;
  const reset = (): void => {
    pieces = [];
    bytes = 0;
    isWide = false;
  };
  return {
    add(piece) {
      bytes += piece.length;
      if (bytes > maxLineBytes) {
        if (!skipped) throw new LineTooLong(maxLineBytes);
        pieces = [];
        return;
      }
      pieces.push(piece);
      isWide ||= !isAscii(piece);
    },
    room: () => (isWide ? 2 * bytes : bytes),
    take() {
      if (bytes > maxLineBytes) {
        reset();
        skipped?.();
        return "";
      }
      // A large text of ASCII is kept outside of the heap of V8 this way, which a few large answers would fill.
      const [first = EMPTY] = pieces;
      const whole = pieces.length > 1 ? Buffer.concat(pieces, bytes) : first;
      const text = whole.toString(isWide ? "utf8" : "latin1");
      reset();
      return text;
    },
  };
}

export interface Line {
  add(piece: Buffer): void;
  /** Bytes of the text in memory. A single character beyond ASCII can make all of them twice as wide. */
  room(): number;
  take(): string;
}

/** What the stream holds next; undefined at its end, when it breaks, and when the signal fires. */
export async function nextChunk(stream: Readable, signal: AbortSignal): Promise<Buffer | undefined> {
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
