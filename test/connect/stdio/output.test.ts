import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { describe, test } from "node:test";

import { createOutput } from "../../../lib/connect/stdio/output.ts";
import { settlesWithin } from "../../../lib/promises.ts";
import { within } from "../../support/deadline.ts";

describe("what the client is told", () => {
  test("is one line for each message, even where a message has line breaks", async () => {
    const stream = new PassThrough();
    const output = createOutput(stream, () => undefined);
    await output.write('{"a":\r\n1}');
    await output.write('{"b":2}');
    assert.equal(String(stream.read()), '{"a":  1}\n{"b":2}\n');
  });

  test("waits for a client that does not read, with one listener for all who write", async () => {
    const stream = new PassThrough({ highWaterMark: 10 });
    const output = createOutput(stream, () => undefined);
    const before = stream.listenerCount("drain");
    const writes = Array.from({ length: 50 }, () => output.write("0123456789"));
    assert.equal(await settlesWithin(Promise.all(writes), 20), false);
    assert.equal(stream.listenerCount("drain"), before);
    stream.resume();
    await within(Promise.all(writes), 1000, "the writes");
  });

  test("is told to nobody when the client has closed its end, and all who wait go on", async () => {
    let breaks = 0;
    const stream = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => done(Object.assign(new Error("gone"), { code: "EPIPE" })),
    });
    const output = createOutput(stream, () => void (breaks += 1));
    await within(output.write("{}"), 1000, "the write that fails");
    await within(output.write("{}"), 1000, "the next one");
    await within(output.flush(1000), 1000, "the flush");
    assert.equal(breaks, 1);
  });

  test("is all out after a flush, which waits no longer than it was told", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const output = createOutput(stream, () => undefined);
    void output.write("0123456789");
    assert.equal(await settlesWithin(output.flush(10), 1000), true);
    stream.resume();
    await within(output.flush(1000), 500, "the flush");
    assert.equal(stream.writableLength, 0);
  });
});
