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
