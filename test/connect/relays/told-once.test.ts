import assert from "node:assert/strict";
import { test } from "node:test";

import { createToldOnce } from "../../../lib/connect/relays/told-once.ts";

test("a single source is always news, until it leaves", () => {
  const one = createToldOnce().join();
  assert.deepEqual([one.isNews("a"), one.isNews("a"), one.isNews("b")], [true, true, true]);
  one.leave();
  assert.equal(one.isNews("a"), false);
});

test("what two sources tell is news once, whichever is first, and each time that it happens", () => {
  const all = createToldOnce();
  const [old, fresh] = [all.join(), all.join()];
  assert.deepEqual([old.isNews("a"), fresh.isNews("a")], [true, false]);
  assert.deepEqual([fresh.isNews("a"), old.isNews("a")], [true, false]);
  assert.deepEqual([old.isNews("a"), old.isNews("a")], [true, true]);
  assert.deepEqual([fresh.isNews("a"), fresh.isNews("a"), fresh.isNews("a")], [false, false, true]);
  assert.equal(fresh.isNews("b"), true);
});

test("a source that is left alone is news again, also in the middle of what the other has told", () => {
  const all = createToldOnce();
  const [old, fresh] = [all.join(), all.join()];
  assert.equal(old.isNews("a"), true);
  old.leave();
  assert.deepEqual([old.isNews("a"), fresh.isNews("a")], [false, true]);
});

test("a source that comes third needs not tell what was told before", () => {
  const all = createToldOnce();
  const [first, second] = [all.join(), all.join()];
  assert.equal(first.isNews("a"), true);
  const third = all.join();
  assert.deepEqual([third.isNews("a"), second.isNews("a"), first.isNews("a")], [true, false, false]);
  first.leave();
  assert.deepEqual([second.isNews("a"), third.isNews("a")], [true, false]);
});
