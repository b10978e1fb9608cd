import assert from "node:assert/strict";
import { test } from "node:test";

import type { Message, ResponseValue } from "../../lib/jsonrpc.ts";
import { createRelays } from "../../lib/input/relays.ts";

function response(id: string | number): Message<ResponseValue> {
  const value = { id, result: { n: 1 } };
  return { text: JSON.stringify({ jsonrpc: "2.0", ...value }), value };
}

test("an answer reaches the question that was asked under its id, once", () => {
  const relays = createRelays();
  const heard: [string, unknown][] = [];
  const one = relays.register("me", (answer) => heard.push(["one", answer]));
  const two = relays.register("me", (answer) => heard.push(["two", answer]));
  const answer = response(two.id);
  assert.equal(relays.deliver("me", answer), true);
  assert.equal(relays.deliver("me", response(two.id)), false);
  assert.equal(relays.deliver("me", response(one.id)), true);
  assert.deepEqual(heard, [
    ["two", answer],
    ["one", response(one.id)],
  ]);
});

test("an id is random, and no other one finds the question", () => {
  const relays = createRelays();
  const ids = Array.from({ length: 100 }, () => relays.register("me", () => assert.fail("not asked for")).id);
  assert.equal(new Set(ids).size, 100);
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  for (const id of ["", 0, 1, "1", "constructor", "__proto__", ids[0]?.toUpperCase() ?? ""]) {
    assert.equal(relays.deliver("me", response(id)), false, String(id));
  }
});

test("a question that was forgotten hears nothing", () => {
  const relays = createRelays();
  const heard: unknown[] = [];
  const gone = relays.register("me", (answer) => heard.push(answer));
  const open = relays.register("me", (answer) => heard.push(answer));
  gone.forget();
  gone.forget();
  assert.equal(relays.deliver("me", response(gone.id)), false);
  assert.deepEqual(heard, []);
  assert.equal(relays.deliver("me", response(open.id)), true);
  open.forget();
  assert.equal(heard.length, 1);
});

test("a question is answered by the caller that it was put to, and by no other", () => {
  const relays = createRelays();
  const heard: unknown[] = [];
  const { id } = relays.register("me", (answer) => heard.push(answer));
  assert.equal(relays.deliver("somebody else", response(id)), false);
  assert.deepEqual(heard, []);
  assert.equal(relays.deliver("me", response(id)), true);
});

test("a question of one host is not known to another", () => {
  const { id } = createRelays().register("me", () => assert.fail("not asked here"));
  assert.equal(createRelays().deliver("me", response(id)), false);
});
