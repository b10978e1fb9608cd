import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MayflyError } from "../lib/errors.ts";
import { createPlaces, takenOnce } from "../lib/places.ts";
import type { Holder, Places } from "../lib/places.ts";

/** Half of these are the places. */
const MAX_PROCESSES = 4;
const NOW = 0;

/** Takes a place, and notes in `gone` that it gave way. */
function linger(places: Places, name: string, gone: string[], holder: Partial<Holder> = {}): () => void {
  const giveWay = (): void => {
    gone.push(name);
    release();
  };
  const release = places.take({ principal: name, mayGiveWayFrom: () => NOW, giveWay, ...holder });
  return release;
}

function isFull(error: unknown): boolean {
  return error instanceof MayflyError && error.code === "NO_PLACE_TO_WAIT";
}

describe("where all places are taken", () => {
  test("what is unused for longest gives way, and no more than are needed", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    linger(places, "second", gone, { mayGiveWayFrom: () => NOW + 1 });
    linger(places, "first", gone);
    places.take({ principal: "third" });
    assert.deepEqual(gone, ["first"]);
    places.take({ principal: "fourth" });
    assert.deepEqual(gone, ["first", "second"]);
    assert.throws(() => places.take({ principal: "fifth" }), isFull);
  });

  test("a caller's own gives way before an older one of another", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    linger(places, "other", gone);
    linger(places, "own", gone, { mayGiveWayFrom: () => NOW + 1 });
    places.take({ principal: "own" });
    assert.deepEqual(gone, ["own"]);
  });

  test("what is nobody's is nobody's own", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    linger(places, "first", gone);
    linger(places, "nobody's", gone, { principal: undefined, mayGiveWayFrom: () => NOW + 1 });
    places.take();
    assert.deepEqual(gone, ["first"]);
  });

  test("what is in use, or was until now, does not give way", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    const later = performance.now() + 60_000;
    linger(places, "in use", gone, { mayGiveWayFrom: () => undefined });
    linger(places, "in use a moment ago", gone, { mayGiveWayFrom: () => later });
    assert.throws(() => places.take(), isFull);
    assert.deepEqual(gone, []);
  });

  test("what has no place any more is not asked to give way", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    linger(places, "gone by itself", gone)();
    linger(places, "first", gone);
    linger(places, "second", gone);
    places.take();
    assert.deepEqual(gone, ["first"]);
  });

  test("what gives no place back is not counted on", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    linger(places, "stubborn", gone, { giveWay: () => gone.push("stubborn") });
    linger(places, "second", gone, { mayGiveWayFrom: () => NOW + 1 });
    places.take();
    assert.deepEqual(gone, ["stubborn", "second"]);
  });
});

describe("where there are several callers", () => {
  const SHARED = 12;
  const SHARE = 3;

  function isShareTaken(error: unknown): boolean {
    assert.ok(error instanceof MayflyError);
    assert.deepEqual([error.code, error.status], ["NO_SHARE_LEFT", 503]);
    assert.match(error.message, new RegExp(`has its share, ${SHARE} of the places`));
    return true;
  }

  test("none of them gets more than half of the places", () => {
    const places = createPlaces(SHARED, true);
    const taken = Array.from({ length: SHARE }, () => places.take({ principal: "eve" }));
    assert.throws(() => places.take({ principal: "eve" }), isShareTaken);
    for (let index = 0; index < SHARE; index += 1) places.take({ principal: "ann" });
    assert.throws(() => places.take({ principal: "bob" }), isFull);
    taken[0]!();
    places.take({ principal: "bob" });
  });

  test("one who has its share lets its own give way, and no other's", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(SHARED, true), []];
    linger(places, "ann", gone);
    for (const name of ["first", "second", "third"]) {
      linger(places, name, gone, { principal: "eve", mayGiveWayFrom: () => NOW + gone.length });
    }
    places.take({ principal: "eve" });
    assert.deepEqual(gone, ["first"]);
    for (let index = 0; index < 2; index += 1) places.take({ principal: "eve" });
    assert.throws(() => places.take({ principal: "eve" }), isShareTaken);
    assert.deepEqual(gone, ["first", "second", "third"]);
  });

  test("what is nobody's has no share", () => {
    const places = createPlaces(SHARED, true);
    for (let index = 0; index < SHARED / 2; index += 1) places.take();
    assert.throws(() => places.take(), isFull);
  });

  test("each of them can have one at least", () => {
    createPlaces(2, true).take({ principal: "ann" });
  });
});

test("nothing gives way while there are places", () => {
  const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
  linger(places, "first", gone);
  places.take();
  assert.deepEqual(gone, []);
});

test("a place that is given back twice is given back once", () => {
  const places = createPlaces(MAX_PROCESSES);
  const [first] = [places.take(), places.take()];
  first();
  first();
  places.take();
  assert.throws(() => places.take(), isFull);
});

test("a place that is taken once is given back by the last of those who have it", () => {
  const places = createPlaces(2);
  const take = takenOnce(() => places.take());
  const [first, second] = [take(), take()];
  assert.throws(() => places.take(), isFull);
  first();
  first();
  assert.throws(() => places.take(), isFull);
  second();
  const other = places.take();
  assert.throws(take, isFull);
  other();
  take();
  assert.throws(() => places.take(), isFull);
});
