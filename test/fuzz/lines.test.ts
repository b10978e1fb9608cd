import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { LineTooLong, readLines } from "../../lib/lines.ts";
import { eventually } from "../support/texts.ts";

const NEVER = new AbortController().signal;

/** Bytes that mean something to those who cut lines or decode text, and others. */
const PIECES = [
  "\n",
  "\n\n",
  "\r\n",
  "\r",
  "\0",
  "\u2028",
  "\u0085",
  "\uFEFF",
  "é",
  "日本",
  "😀",
  "{}",
  "a",
  " ",
];
const piece = fc.oneof(
  { arbitrary: fc.constantFrom(...PIECES).map((text) => Buffer.from(text)), weight: 4 },
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
);
const bytes = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.concat(pieces));

/** The same bytes, cut anywhere. */
const cut = bytes.chain((whole) =>
  fc.array(fc.nat(whole.length), { maxLength: 20 }).map((places) => {
    const ends = [...places.toSorted((one, other) => one - other), whole.length];
    return { whole, chunks: ends.map((end, index) => whole.subarray(ends[index - 1] ?? 0, end)) };
  }),
);

interface Read {
  readonly lines: readonly string[];
  readonly isTooLong: boolean;
}

async function read(chunks: readonly Buffer[], limit: number): Promise<Read> {
  const lines: string[] = [];
  // A stream of bytes leaves out chunks without any.
  const stream = Readable.from(
    chunks.filter(({ length }) => length > 0),
    { objectMode: false },
  );
  try {
    for await (const line of readLines(stream, limit, NEVER)) lines.push(line);
    return { lines, isTooLong: false };
  } catch (error) {
    assert.ok(error instanceof LineTooLong);
    return { lines, isTooLong: true };
  }
}

/** One character for each byte: what is cut here is never a character of the text. */
function expected(whole: Buffer, limit: number): Read {
  const all = whole.toString("latin1").split("\n");
  const tooLong = all.findIndex(({ length }) => length > limit);
  const kept = tooLong === -1 ? all : all.slice(0, tooLong);
  const lines = kept.filter((line) => line !== "").map((line) => Buffer.from(line, "latin1").toString());
  return { lines, isTooLong: tooLong !== -1 };
}

describe("the lines of any bytes, cut anywhere", () => {
  test("are those between line feeds, decoded each by itself", async () => {
    await eventually(cut, async ({ whole, chunks }) => {
      assert.deepEqual(await read(chunks, 1024), expected(whole, 1024));
    });
  });

  test("end at the first one that is longer than the limit, whole up to there", async () => {
    await eventually(fc.tuple(cut, fc.nat(12)), async ([{ whole, chunks }, limit]) => {
      assert.deepEqual(await read(chunks, limit), expected(whole, limit));
    });
  });
});
