import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { Reply } from "../lib/exchange/order.ts";
import { respond } from "../lib/response.ts";
import { readEvents } from "./support/event-stream.ts";

const FORM = { stream: true, batch: false, sessionToken: undefined };
const ANSWER: Reply = { kind: "response", text: '{"jsonrpc":"2.0",\n"id":1,"result":{}}', outcome: "ok" };
const NOTE: Reply = { kind: "notification", text: '{"jsonrpc":"2.0","method":"a"}' };

/** Replies of which each waits for a timer of a millisecond, as fast as a timer gets. */
async function* replies(...all: readonly Reply[]): AsyncGenerator<Reply, void, void> {
  for (const reply of all) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield reply;
  }
}

describe("times that a timer of Node cannot hold", () => {
  for (const ms of [2 ** 31, Infinity]) {
    test(`an answer is waited for ${ms} milliseconds before the reply becomes a stream`, async () => {
      const response = await respond(replies(ANSWER), { ...FORM, streamAfterMs: ms, keepAliveMs: ms });
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.equal(await response.text(), ANSWER.text);
    });

    test(`a stream is idle for ${ms} milliseconds before there is a comment`, async () => {
      const all = replies(NOTE, ...Array.from({ length: 20 }, () => NOTE), ANSWER);
      const response = await respond(all, { ...FORM, streamAfterMs: ms, keepAliveMs: ms });
      const comments: string[] = [];
      for await (const { comment } of readEvents(response)) if (comment !== undefined) comments.push(comment);
      assert.deepEqual(comments, []);
    });
  }
});

describe("a large answer", () => {
  const text = `{"jsonrpc":"2.0","id":1,"result":"${"ä".repeat(200_000)}"}`;
  const large: Reply = { kind: "response", text, outcome: "ok" };

  test("goes out in pieces that are pulled, with its length before it, and tells what is left", async () => {
    const unsent: (() => number)[] = [];
    const form = { ...FORM, streamAfterMs: 60_000, keepAliveMs: 60_000 };
    const response = await respond(replies(large), { ...form, unsent: (bytes) => void unsent.push(bytes) });
    const all = Buffer.from(text);
    assert.equal(response.headers.get("content-length"), String(all.length));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const read: Uint8Array[] = [];
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      read.push(next.value);
      assert.ok(next.value.length <= 65_536);
      const left = all.length - Buffer.concat(read).length;
      assert.deepEqual(
        unsent.map((bytes) => bytes()),
        [left],
      );
    }
    assert.deepEqual(Buffer.concat(read), all);
  });

  test("in a stream has no comment between its pieces, however slowly they are read", async () => {
    const form = { ...FORM, streamAfterMs: 60_000, keepAliveMs: 1 };
    const response = await respond(replies(NOTE, large), form);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const read: Uint8Array[] = [];
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      read.push(next.value);
      // Long enough for a comment to come.
      if (next.value.length > 100) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const events = Buffer.concat(read).toString().replaceAll(": keep-alive\n\n", "").split("\n\n");
    assert.deepEqual(events, [`event: message\ndata: ${NOTE.text}`, `event: message\ndata: ${text}`, ""]);
  });
});
