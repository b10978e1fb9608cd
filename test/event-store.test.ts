import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { array, assert as check, asyncProperty, constantFrom, nat, record } from "fast-check";

import { createEventStore } from "../lib/event-store.ts";
import type { EventStore, EventStoreLimits } from "../lib/event-store.ts";

function filled(limits: EventStoreLimits, ...sizes: readonly number[]): EventStore {
  const store = createEventStore(limits);
  sizes.forEach((size, at) => void store.store("a", { index: at + 1, text: "x".repeat(size) }));
  return store;
}

async function kept(store: EventStore, stream = "a", after = 0): Promise<number[]> {
  return (await store.replay(stream, after)).map(({ index }) => index);
}

describe("the events of a stream", () => {
  test("are replayed in order, behind the place that is named", async () => {
    const store = filled({}, 1, 1, 1, 1);
    assert.deepEqual(await kept(store), [1, 2, 3, 4]);
    assert.deepEqual(await kept(store, "a", 2), [3, 4]);
    assert.deepEqual(await kept(store, "a", 4), []);
    assert.deepEqual(await kept(store, "b"), []);
  });

  test("are kept up to a number", async () => {
    assert.deepEqual(await kept(filled({ maxEvents: 2 }, 1, 1, 1)), [2, 3]);
  });

  test("are kept up to a size, and the newest one whatever its size", async () => {
    assert.deepEqual(await kept(filled({ maxCharacters: 10 }, 4, 4, 4)), [2, 3]);
    assert.deepEqual(await kept(filled({ maxCharacters: 10 }, 4, 40)), [2]);
  });

  test("give way to those of other streams when all together are too much", async () => {
    const store = filled({ maxTotal: 10 }, 4, 4);
    void store.store("b", { index: 1, text: "xxxx" });
    assert.deepEqual(await kept(store), [2]);
    assert.deepEqual(await kept(store, "b"), [1]);
  });

  test("are gone when the stream is forgotten, and take no room", async () => {
    const store = filled({ maxTotal: 10 }, 4, 4);
    void store.forget("a");
    void store.store("b", { index: 1, text: "x".repeat(10) });
    assert.deepEqual(await kept(store), []);
    assert.deepEqual(await kept(store, "b"), [1]);
  });
});

test("whatever is stored, what is kept is the newest of each stream, and within the limits but for one event", async () => {
  const events = array(record({ stream: constantFrom("a", "b", "c"), size: nat(30) }));
  await check(
    asyncProperty(events, async (all) => {
      const store = createEventStore({ maxEvents: 5, maxCharacters: 40, maxTotal: 60 });
      const last = new Map<string, number>();
      for (const { stream, size } of all) {
        const index = (last.get(stream) ?? 0) + 1;
        last.set(stream, index);
        void store.store(stream, { index, text: "x".repeat(size) });
      }
      let total = 0;
      for (const [stream, newest] of last) {
        const replayed = await store.replay(stream, 0);
        const characters = replayed.reduce((sum, { text }) => sum + text.length, 0);
        total += characters;
        assert.ok(replayed.length <= 5);
        assert.ok(replayed.length <= 1 || characters <= 40);
        const expected = Array.from(replayed, (_, at) => newest - replayed.length + 1 + at);
        assert.deepEqual(
          replayed.map(({ index }) => index),
          expected,
        );
      }
      assert.ok(total <= 60);
    }),
  );
});
