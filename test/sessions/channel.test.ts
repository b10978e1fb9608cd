import assert from "node:assert/strict";
import { test } from "node:test";

import { createChannel } from "../../lib/sessions/channel.ts";
import { within } from "../support/deadline.ts";

async function read(
  values: AsyncIterable<number>,
  read: (value: number) => void = () => undefined,
): Promise<number[]> {
  const all: number[] = [];
  for await (const value of values) {
    all.push(value);
    read(value);
  }
  return all;
}

test("values come in their order, whether their reader waits for them or not", async () => {
  const { push, end, values } = createChannel<number>();
  push(1);
  push(2);
  const all = read(values);
  await Promise.resolve();
  push(3);
  end();
  assert.deepEqual(await within(all, 2000, "the end"), [1, 2, 3]);
});

test("a value and the end that come at once, while the reader waits, are not lost", async () => {
  for (let turns = 0; turns < 8; turns++) {
    const { push, end, values } = createChannel<number>();
    const all = read(values);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    push(1);
    end();
    assert.deepEqual(await within(all, 2000, "the end"), [1], `after ${turns} turns`);
  }
});

test("what is pushed while a value is read comes after it", async () => {
  const { push, end, values } = createChannel<number>();
  push(1);
  const more = (value: number): void => (value < 3 ? push(value + 1) : end());
  assert.deepEqual(await within(read(values, more), 2000, "the end"), [1, 2, 3]);
});

test("very many values are read in linear time", async () => {
  const { push, end, values } = createChannel<number>();
  const total = 300_000;
  for (let value = 0; value < total; value++) push(value);
  end();
  const { user } = process.cpuUsage();
  assert.equal((await within(read(values), 20_000, "the end")).length, total);
  const tookMs = (process.cpuUsage().user - user) / 1000;
  assert.ok(tookMs < 5000, `${tookMs} milliseconds`);
});
