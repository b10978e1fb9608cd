import { setImmediate as nextTurn } from "node:timers/promises";
import type { Readable } from "node:stream";

import { LineTooLong, createLine, nextChunk } from "../../lines.ts";
import type { Line } from "../../lines.ts";

/** An event of a stream. Source: HTML, 9.2.6 (Interpreting an event stream). */
export interface StreamEvent {
  /** @default "message" */
  readonly type: string;
  /** Empty for an event that says no more than an id, or when to come back. */
  readonly data: string;
  /** The last id that the stream has set; "" once it is reset; undefined before there was one. */
  readonly id: string | undefined;
  /** Milliseconds to wait before coming back, as the stream has said last. */
  readonly retryMs: number | undefined;
}

/**
 * The events of a stream that carry data, set an id or say when to come back, until it ends, breaks or the signal
 * fires. What is unfinished then is dropped, as it may be half of something. Pulls.
 * @param maxEventBytes of one event, and of one line of it
 * @throws LineTooLong
 */
export async function* readEvents(
  body: Readable,
  maxEventBytes: number,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void, void> {
  const event = createEvent(maxEventBytes);
  const lines = createSplitter(maxEventBytes);
  for (let chunk = await nextChunk(body, signal); chunk; chunk = await nextChunk(body, signal)) {
    let count = 0;
    for (const line of lines.endedBy(chunk)) {
      count += 1;
      const complete = line === "" ? event.take() : event.add(line);
      if (complete) yield complete;
      if (signal.aborted) return;
    }
    // A flood of lines is read without a pause for anything else, and time limits are something else.
    if (count > MANY_LINES) await nextTurn();
  }
}

/** The event that is being read. */
interface EventInMaking {
  /** @throws LineTooLong */
  add(line: string): undefined;
  /** What a blank line ends; undefined if that says nothing. */
  take(): StreamEvent | undefined;
}

function createEvent(maxBytes: number): EventInMaking {
  let id: string | undefined;
  let retryMs: number | undefined;
  let type = "";
  let data: string[] = [];
  let joined: string[] = [];
  let length = 0;
  let isChanged = false;
  const fields: Readonly<Record<string, (value: string) => void>> = {
    event: (value) => void (type = value),
    data(value) {
      // Characters are never more than bytes; a line feed is to come for each line.
      length += value.length + 1;
      if (length > maxBytes + 1) throw new LineTooLong(maxBytes);
      data.push(value);
      if (data.length < MANY_LINES) return;
      // Of many short lines each would take more than what it says.
      joined.push(data.join("\n"));
      data = [];
    },
    id(value) {
      if (value.includes("\0")) return;
      id = value;
      isChanged = true;
    },
    retry(value) {
      if (!/^\d{1,15}$/.test(value)) return;
      retryMs = Number(value);
      isChanged = true;
    },
  };
  return {
    add(line) {
      const { name, value } = fieldOf(line);
      if (Object.hasOwn(fields, name)) fields[name]?.(value);
      return undefined;
    },
    take() {
      const text = [...joined, ...data].join("\n");
      const complete = { type: type === "" ? "message" : type, data: text, id, retryMs };
      const isWorthTelling = text !== "" || isChanged;
      type = "";
      data = [];
      joined = [];
      length = 0;
      isChanged = false;
      return isWorthTelling ? complete : undefined;
    },
  };
}

/** A comment has an empty name, which no field has. */
function fieldOf(line: string): { name: string; value: string } {
  const colon = line.indexOf(":");
  if (colon === -1) return { name: line, value: "" };
  const start = line[colon + 1] === " " ? colon + 2 : colon + 1;
  return { name: line.slice(0, colon), value: line.slice(start) };
}

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = "\uFEFF";
/** Lines in one piece of a stream: more than a server has a reason to write at once. */
const MANY_LINES = 100;

/** The lines of an event stream, also the empty ones. Not those of `readLines`, which end with LF, and leave out the empty ones. */
interface Splitter {
  /** Each ends with CR, LF or both; what comes after the last end is none yet. @throws LineTooLong */
  endedBy(chunk: Buffer): Generator<string, void, void>;
}

function createSplitter(maxLineBytes: number): Splitter {
  const rest = createLine(maxLineBytes);
  let isFirst = true;
  let endedByCr = false;
  return {
    *endedBy(chunk) {
      // The other half of an end of line that has been seen already.
      const from = endedByCr && chunk[0] === LF ? 1 : 0;
      endedByCr = chunk.at(-1) === CR;
      for (const text of completeLines(chunk.subarray(from), rest)) {
        yield isFirst ? withoutMark(text) : text;
        isFirst = false;
      }
    },
  };
}

/** @param rest what has come before of the first line; gets what comes of the one that does not end here */
function* completeLines(chunk: Buffer, rest: Line): Generator<string, void, void> {
  let start = 0;
  let lf = chunk.indexOf(LF);
  let cr = chunk.indexOf(CR);
  while (lf !== -1 || cr !== -1) {
    const isCr = cr !== -1 && (lf === -1 || cr < lf);
    const end = isCr ? cr : lf;
    rest.add(chunk.subarray(start, end));
    yield rest.take();
    start = isCr && lf === end + 1 ? end + 2 : end + 1;
    // Each is looked for again only behind itself: a chunk of many lines would be searched through for each of them.
    if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start);
    if (cr !== -1 && cr < start) cr = chunk.indexOf(CR, start);
  }
  rest.add(chunk.subarray(start));
}

function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}
