import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { describe, test } from "node:test";

import { LineTooLong, OutputTooLong, readLines } from "../lib/lines.ts";
import { within } from "./support/deadline.ts";

const NEVER = new AbortController().signal;

async function linesOf(
  chunks: readonly (string | Uint8Array)[],
  limit = 1024,
  total?: number,
): Promise<string[]> {
  const stream = Readable.from(
    chunks.map((chunk) => Buffer.from(chunk)),
    { objectMode: false },
  );
  return all(readLines(stream, limit, NEVER, { maxBytes: total }));
}

describe("lines", () => {
  const rows: readonly (readonly [what: string, chunks: readonly string[], lines: readonly string[]])[] = [
    ["of one chunk are split at line feeds", ["a\nb\n"], ["a", "b"]],
    ["may be spread over chunks", ["a", "b", "c\nd", "\n"], ["abc", "d"]],
    ["may end with the stream", ["a\nb"], ["a", "b"]],
    ["are left out where they hold nothing", ["\n\na\n\n"], ["a"]],
    ["are none in an empty stream", [], []],
    ["keep carriage returns and other breaks", ["a\r\nb\u2028c\u0085d\n"], ["a\r", "b\u2028c\u0085d"]],
    ["keep NUL", ["a\0b\n"], ["a\0b"]],
  ];
  for (const [what, chunks, lines] of rows) {
    test(what, async () => assert.deepEqual(await linesOf(chunks), lines));
  }

  test("survive a cut at every byte of every character", async () => {
    const text = "é\u2028😀\n日本\n";
    const bytes = [...Buffer.from(text)].map((byte) => Uint8Array.of(byte));
    assert.deepEqual(await linesOf(bytes), ["é\u2028😀", "日本"]);
  });
});

describe("the limit", () => {
  test("lets a line of just that size through, however many there are", async () => {
    assert.deepEqual(await linesOf(["1234\n56", "78\n"], 4), ["1234", "5678"]);
  });

  test("counts bytes, not characters", async () => {
    assert.deepEqual(await linesOf(["éé\n"], 4), ["éé"]);
    await assert.rejects(linesOf(["éé\n"], 3), LineTooLong);
  });

  test("leaves out a longer line where it is told so, tells of it once, and reads on", async () => {
    let skipped = 0;
    const chunks = ["ab\n12345", "6789", "0\ncd\n", "123456"].map((chunk) => Buffer.from(chunk));
    const stream = Readable.from(chunks, { objectMode: false });
    const lines = readLines(stream, 4, NEVER, { skipped: () => void (skipped += 1) });
    assert.deepEqual(await all(lines), ["ab", "cd"]);
    assert.equal(skipped, 2);
  });

  test("of all lines together lets just that much through, with the line feeds", async () => {
    assert.deepEqual(await linesOf(["ab\n", "\n", "cd\n"], 9, 7), ["ab", "cd"]);
    assert.deepEqual(await linesOf(["ab\n\ncd"], 9, 6), ["ab", "cd"]);
    await assert.rejects(linesOf(["ab\n", "\n", "cd\n"], 9, 6), OutputTooLong);
    await assert.rejects(linesOf(["ab\n\ncd"], 9, 5), OutputTooLong);
  });

  test("of all lines together counts those that hold nothing", async () => {
    await assert.rejects(linesOf(["\n".repeat(100)], 9, 99), OutputTooLong);
  });

  test("of all lines together keeps no line back that came before it", async () => {
    const lines = readLines(Readable.from([Buffer.from("ab\ncd\nef\n")], { objectMode: false }), 9, NEVER, {
      maxBytes: 6,
    });
    assert.deepEqual([(await lines.next()).value, (await lines.next()).value], ["ab", "cd"]);
    await assert.rejects(lines.next(), OutputTooLong);
  });

  test("ends a line that is not complete yet", async () => {
    const stream = new PassThrough();
    const lines = readLines(stream, 4, NEVER);
    stream.write("ok\n123");
    assert.equal((await lines.next()).value, "ok");
    const next = lines.next();
    stream.write("45");
    await assert.rejects(within(next, 2000, "the line is refused"), LineTooLong);
    assert.deepEqual(listenersOf(stream), listenersOf(new PassThrough()));
  });
});

describe("the end", () => {
  test("comes with the signal, for a reader that waits", async () => {
    const stream = new PassThrough();
    const { signal, abort } = controller();
    stream.write("first\nunfinished");
    const lines = readLines(stream, 1024, signal);
    assert.equal((await lines.next()).value, "first");
    const next = lines.next();
    abort();
    assert.deepEqual(await within(next, 2000, "the reader wakes"), { value: undefined, done: true });
    assert.deepEqual(listenersOf(stream), listenersOf(new PassThrough()));
  });

  test("comes at once with a signal that has fired", async () => {
    const stream = new PassThrough();
    stream.write("a\n");
    assert.deepEqual(await all(readLines(stream, 1024, AbortSignal.abort())), []);
  });

  test("comes with a stream that breaks while it is waited for", async () => {
    const stream = new PassThrough();
    stream.on("error", () => undefined);
    const lines = readLines(stream, 1024, NEVER);
    const next = lines.next();
    stream.destroy(new Error("broken pipe"));
    assert.equal((await within(next, 2000, "the reader wakes")).done, true);
  });

  test("comes with a stream that is over already", async () => {
    const stream = new PassThrough();
    stream.destroy();
    assert.deepEqual(await all(readLines(stream, 1024, NEVER)), []);
  });

  test("leaves no listener behind, whatever it came with", async () => {
    const stream = new PassThrough();
    const fresh = listenersOf(new PassThrough());
    const lines = readLines(stream, 1024, NEVER);
    for (const text of ["a", "b", "c"]) {
      const next = lines.next();
      stream.write(`${text}\n`);
      assert.equal((await next).value, text);
    }
    assert.deepEqual(listenersOf(stream), fresh);
    stream.end();
    assert.equal((await lines.next()).done, true);
    assert.equal(listenersOf(stream)["readable"], 0);
  });
});

test("a reader that pauses makes the writer wait", async () => {
  let made = 0;
  const stream = new Readable({
    highWaterMark: 1024,
    read() {
      made += 1;
      this.push(Buffer.from(`${"x".repeat(511)}\n`));
    },
  });
  const lines = readLines(stream, 1024, NEVER);
  await lines.next();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(made < 20, `${made} lines were read ahead`);
  await lines.return();
  stream.destroy();
});

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

function controller(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const made = new AbortController();
  return { signal: made.signal, abort: () => made.abort() };
}

function listenersOf(stream: Readable): Record<string, number> {
  const events = ["readable", "end", "error", "close"];
  return Object.fromEntries(events.map((event) => [event, stream.listenerCount(event)]));
}
