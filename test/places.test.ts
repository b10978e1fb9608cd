import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MayflyError } from "../lib/errors.ts";
import { createPlaces, takenOnce } from "../lib/places.ts";
import type { Places } from "../lib/places.ts";

/** Half of these are the places. */
const MAX_PROCESSES = 4;
const NOW = 0;

/** Takes a place and offers it; notes in `gone` that it gave way. */
function linger(places: Places, name: string, gone: string[], principal = name, notBefore = NOW): () => void {
  const release = places.take(principal);
  const giveWay = (): void => {
    gone.push(name);
    release();
  };
  return places.offer({ principal, notBefore, giveWay });
}

function isFull(error: unknown): boolean {
  return error instanceof MayflyError && error.code === "NO_PLACE_TO_WAIT";
}

describe("where all places are taken", () => {
  test("the oldest offer gives way, and no more than are needed", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    for (const name of ["first", "second"]) linger(places, name, gone);
    places.take("third");
    assert.deepEqual(gone, ["first"]);
    places.take("fourth");
    assert.deepEqual(gone, ["first", "second"]);
    assert.throws(() => places.take("fifth"), isFull);
  });

  test("a caller's own offer gives way before an older one of another", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    for (const name of ["other", "own"]) linger(places, name, gone);
    places.take("own");
    assert.deepEqual(gone, ["own"]);
  });

  test("an offer of nobody is nobody's own", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    linger(places, "first", gone);
    const release = places.take();
    places.offer({ notBefore: NOW, giveWay: () => [gone.push("nobody's"), release()] });
    places.take();
    assert.deepEqual(gone, ["first"]);
  });

  test("an offer that was taken back, or is too young, does not give way", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    linger(places, "back in use", gone)();
    linger(places, "young", gone, "young", performance.now() + 60_000);
    assert.throws(() => places.take("young"), isFull);
    assert.deepEqual(gone, []);
  });

  test("an offer without a place is passed over for one that has one", () => {
    const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
    places.offer({ notBefore: NOW, giveWay: () => gone.push("without") });
    linger(places, "with", gone);
    places.take();
    places.take();
    assert.deepEqual(gone, ["without", "with"]);
  });
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

test("nothing gives way while there are places", () => {
  const [places, gone]: [Places, string[]] = [createPlaces(MAX_PROCESSES), []];
  linger(places, "first", gone);
  places.take();
  assert.deepEqual(gone, []);
});
