import assert from "node:assert/strict";
import { test } from "node:test";

import { paced } from "../../../lib/connect/stdio/pacing.ts";
import { notification } from "../../support/rpc.ts";

const PROGRESS = JSON.stringify(notification("notifications/progress", { progressToken: 1, progress: 1 }));
const ANSWER = JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} });

test("an answer does not reach a client in one piece with the progress before it", async () => {
  const written: (readonly [text: string, at: number])[] = [];
  const write = paced(async (text) => void written.push([text, performance.now()]));
  await write(ANSWER);
  for (const text of [PROGRESS, PROGRESS, ANSWER]) await write(text);
  assert.deepEqual(
    written.map(([text]) => text),
    [ANSWER, PROGRESS, PROGRESS, ANSWER],
  );
  const [first = 0, , second = 0, last = 0] = written.map(([, at]) => at);
  assert.ok(last - second >= 19, `${last - second} ms`);
  assert.ok(second >= first);
});

test("answers to other requests do not wait for it", async () => {
  const written: string[] = [];
  const write = paced(async (text) => void written.push(text));
  const other = JSON.stringify({ jsonrpc: "2.0", id: 2, result: {} });
  await write(PROGRESS);
  const answered = write(ANSWER);
  await write(other);
  assert.deepEqual(written, [PROGRESS, other]);
  await answered;
  assert.deepEqual(written, [PROGRESS, other, ANSWER]);
});

test("nothing waits where there is no progress", async () => {
  const written: string[] = [];
  const write = paced(async (text) => void written.push(text));
  void write(ANSWER);
  void write(ANSWER);
  assert.equal(written.length, 2);
});
