import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MayflyError } from "../../lib/errors.ts";
import { createBackoff } from "../../lib/sessions/backoff.ts";

/** A back-off whose clock stands until it is moved. */
function setUp() {
  let now = 1000;
  const backoff = createBackoff("fixture", () => now);
  const pauseAfterFailure = (): number => {
    backoff.noteFailure();
    try {
      backoff.admit();
      return 0;
    } catch (error) {
      assert.ok(error instanceof MayflyError);
      assert.equal(error.code, "KEEPS_ENDING");
      return Number(error.data?.["retryAfterMs"]);
    }
  };
  return { ...backoff, pauseAfterFailure, wait: (ms: number) => void (now += ms) };
}

describe("a server that ends", () => {
  test("may be started again at once", () => {
    assert.equal(setUp().pauseAfterFailure(), 0);
  });

  test("again and again is started after pauses that double, up to half a minute", () => {
    const backoff = setUp();
    const pauses = Array.from({ length: 8 }, () => backoff.pauseAfterFailure());
    assert.deepEqual(pauses, [0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  test("is started when the pause is over, and not before", () => {
    const backoff = setUp();
    backoff.pauseAfterFailure();
    backoff.pauseAfterFailure();
    backoff.wait(999);
    assert.throws(() => backoff.admit(), { code: "KEEPS_ENDING", reason: "exited" });
    backoff.wait(1);
    backoff.admit();
  });

  test("after it has been of use has ended for the first time", () => {
    const backoff = setUp();
    backoff.pauseAfterFailure();
    backoff.pauseAfterFailure();
    backoff.noteSuccess();
    assert.equal(backoff.pauseAfterFailure(), 0);
  });
});
