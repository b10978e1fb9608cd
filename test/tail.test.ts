import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";

import { keepTail } from "../lib/tail.ts";

const KEPT = 8192;

async function tailOf(...chunks: readonly string[]): Promise<string> {
  const stream = new PassThrough();
  const tail = keepTail(stream);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await once(stream, "end");
  return tail();
}

describe("the tail of a stream", () => {
  const rows: readonly (readonly [what: string, chunks: readonly string[], tail: string])[] = [
    ["is empty for an empty stream", [], ""],
    ["is all of a short one, without space around it", ["\n a", " b\n", "\n"], "a b"],
    ["is the last 8 KiB of one long chunk", ["a".repeat(KEPT) + "b".repeat(KEPT)], "b".repeat(KEPT)],
    ["begins with a whole line", ["a secr", "et\n", "b".repeat(KEPT - 3)], "b".repeat(KEPT - 3)],
    ["is the last 8 KiB of many chunks", ["x".repeat(KEPT), "y", "z"], `${"x".repeat(KEPT - 2)}yz`],
  ];
  for (const [what, chunks, tail] of rows) {
    test(what, async () => assert.equal(await tailOf(...chunks), tail));
  }

  test("can be read while the stream runs", async () => {
    const stream = new PassThrough();
    const tail = keepTail(stream);
    const first = once(stream, "data");
    stream.write("one");
    await first;
    assert.equal(tail(), "one");
    const second = once(stream, "data");
    stream.write(" two");
    await second;
    assert.equal(tail(), "one two");
  });

  test("does not fail on a character that the cut has halved", async () => {
    assert.equal(await tailOf(`é${"x".repeat(KEPT - 1)}`), `\uFFFD${"x".repeat(KEPT - 1)}`);
  });
});
