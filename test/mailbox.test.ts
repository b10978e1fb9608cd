import assert from "node:assert/strict";
import { test } from "node:test";

import { createMailbox } from "../lib/mailbox.ts";
import { within } from "./support/deadline.ts";

const WAIT_MS = 1000;

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const read: Item[] = [];
  for await (const item of items) read.push(item);
  return read;
}

test("gives its reader what came before and what comes later, in its order", async () => {
  const mailbox = createMailbox<number>();
  mailbox.put(1);
  mailbox.put(2);
  const reading = mailbox.items(new AbortController().signal);
  assert.deepEqual([(await reading.next()).value, (await reading.next()).value], [1, 2]);
  const later = reading.next();
  mailbox.put(3);
  assert.equal((await within(later, WAIT_MS, "what came later")).value, 3);
  assert.equal(mailbox.size, 0);
});

test("ends its reader when it is closed, and drops what waits", async () => {
  const mailbox = createMailbox<number>();
  const reading = all(mailbox.items(new AbortController().signal));
  mailbox.put(1);
  mailbox.close();
  assert.deepEqual(await within(reading, WAIT_MS, "the end"), []);
});

test("ends its reader when the signal fires", async () => {
  const over = new AbortController();
  const reading = all(createMailbox<number>().items(over.signal));
  over.abort();
  assert.deepEqual(await within(reading, WAIT_MS, "the end"), []);
});
