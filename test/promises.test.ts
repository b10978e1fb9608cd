import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { decided, deferred, once, settlesWithin } from "../lib/promises.ts";
import { within } from "./support/deadline.ts";

describe("settlesWithin", () => {
  const rows: readonly (readonly [
    what: string,
    promise: () => Promise<unknown>,
    ms: number,
    result: boolean,
  ])[] = [
    ["says yes to a promise that resolves", () => Promise.resolve(), 60_000, true],
    ["says yes to a promise that rejects", () => Promise.reject(new Error("no")), 60_000, true],
    ["says no to a promise that takes longer", () => deferred().promise, 1, false],
  ];
  for (const [what, promise, ms, result] of rows) {
    test(`${what}, and leaves no timer`, async () => {
      const before = timers();
      assert.equal(await settlesWithin(promise(), ms), result);
      assert.equal(timers(), before);
    });
  }
});

describe("decided", () => {
  test("gives what is decided, now or later", async () => {
    assert.equal(await decided("f", () => 1), 1);
    assert.equal(await decided("f", () => Promise.resolve(2)), 2);
  });

  test("throws what is thrown, now or later", async () => {
    const fail = (): never => {
      throw new Error("no");
    };
    await assert.rejects(
      decided("f", () => fail()),
      { message: "no" },
    );
    await assert.rejects(
      decided("f", () => Promise.reject(new Error("no"))),
      { message: "no" },
    );
  });

  test("waits for ten seconds, and no longer", async (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => mock.timers.reset());
    const slow = decided("f", () => new Promise((resolve) => setTimeout(resolve, 9999, "slow")));
    mock.timers.tick(9999);
    assert.equal(await slow, "slow");
    const silent = decided("f", () => deferred().promise);
    mock.timers.tick(10_000);
    await assert.rejects(silent, { message: "f has not answered after 10 seconds" });
  });
});

describe("once", () => {
  test("runs at the first call only", () => {
    let runs = 0;
    const run = once(() => (runs += 1));
    assert.deepEqual([runs, run(), run(), runs], [0, 1, 1, 1]);
  });

  test("keeps undefined as a result too", () => {
    let runs = 0;
    const run = once(() => void (runs += 1));
    run();
    run();
    assert.equal(runs, 1);
  });

  test("runs again after a call that threw", () => {
    let runs = 0;
    const run = once(() => {
      runs += 1;
      if (runs === 1) throw new Error("not yet");
      return runs;
    });
    assert.throws(run, /not yet/);
    assert.deepEqual([run(), run()], [2, 2]);
  });
});

test("a deferred promise resolves when it is told to, however often", async () => {
  const { promise, resolve } = deferred();
  assert.equal(await settlesWithin(promise, 1), false);
  resolve();
  resolve();
  assert.equal(await within(promise, 2000, "it resolves"), undefined);
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}
