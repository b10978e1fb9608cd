import assert from "node:assert/strict";
import { test } from "node:test";

import { readAll, readEvents } from "./event-stream.ts";

const HEADERS = { "content-type": "text/event-stream; charset=utf-8" };

test("frames, comments and fields are told apart", async () => {
  const text = ': still here\n\nevent: message\ndata: {"a":1}\n\nid: 7\ndata:b\ndata:  c\n\n';
  const frames = await readAll(new Response(text, { headers: HEADERS }));
  assert.deepEqual(
    frames.map(({ event, data, comment, lines }) => ({ event, data, comment, lines })),
    [
      { event: undefined, data: undefined, comment: "still here", lines: [": still here"] },
      { event: "message", data: '{"a":1}', comment: undefined, lines: ["event: message", 'data: {"a":1}'] },
      { event: undefined, data: "b\n c", comment: undefined, lines: ["id: 7", "data:b", "data:  c"] },
    ],
  );
});

test("data keeps every byte, wherever the chunks are cut", async () => {
  const data = Buffer.concat([Buffer.from('"\u2028 é😀\r"'), Buffer.of(0xff)]);
  const bytes = Buffer.concat([Buffer.from("data: "), data, Buffer.from("\n\n")]);
  const frames = await readAll(new Response(streamOf(...bytes), { headers: HEADERS }));
  assert.deepEqual(
    frames.map(({ dataBytes }) => dataBytes),
    [data],
  );
});

test("a frame is there before the stream ends", async () => {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  const events = readEvents(new Response(body, { headers: HEADERS }));
  controller?.enqueue(Buffer.from("data: 1\n\n"));
  const { value } = await events.next();
  assert.equal(value?.data, "1");
  assert.ok(value.receivedAt <= performance.now());
});

test("leaving the loop cancels the response", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(Buffer.from("data: 1\n\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const { data } of readEvents(new Response(body, { headers: HEADERS }))) {
    assert.equal(data, "1");
    break;
  }
  assert.equal(cancelled, true);
});

test("a stream that ends inside a frame is an error", async () => {
  await assert.rejects(readAll(new Response("data: 1\n", { headers: HEADERS })), /inside a frame: data: 1/);
});

test("what is not an event stream is an error that shows it", async () => {
  await assert.rejects(readAll(Response.json({ a: 1 }, { status: 404 })), /404 application\/json: \{"a":1\}/);
});

function streamOf(...bytes: number[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
}
