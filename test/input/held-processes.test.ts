import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createPlaces } from "../../lib/places.ts";
import { MayflyError } from "../../lib/errors.ts";
import { createHeldProcesses } from "../../lib/input/held-processes.ts";
import type { HeldProcess, HeldProcesses } from "../../lib/input/held-processes.ts";
import { deferred } from "../../lib/promises.ts";
import { within } from "../support/deadline.ts";

/** A process of which only the end is of interest here. */
interface Waiting extends HeldProcess<string> {
  readonly ended: Promise<void>;
  readonly ends: () => number;
  readonly exit: () => void;
}

function waiting(name = "a", binding = "ours"): Waiting {
  const [ended, exited] = [deferred(), deferred()];
  let ends = 0;
  return {
    principal: "me",
    binding,
    resumed: name,
    until: Number.MAX_SAFE_INTEGER,
    exited: exited.promise,
    end: () => {
      ends += 1;
      ended.resolve();
    },
    ended: ended.promise,
    ends: () => ends,
    exit: exited.resolve,
  };
}

/** All that wait end with the test, and with them their timers. */
function held(t: TestContext, maxProcesses = 8, idleLimitMs?: number): HeldProcesses<string> {
  const processes = createHeldProcesses<string>(createPlaces(maxProcesses), idleLimitMs);
  t.after(() => processes.endAll());
  return processes;
}

function expired(run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.equal(error instanceof MayflyError && error.code, "CONTINUATION_EXPIRED");
    assert.deepEqual([(error as MayflyError).status, (error as MayflyError).rpcCode], [400, -32_602]);
    return true;
  });
}

describe("a process that waits", () => {
  test("is found by its handle, once", (t) => {
    const [processes, process] = [held(t), waiting()];
    const handle = processes.keep(process);
    assert.match(handle, /^mayfly-held\.[0-9a-f-]{36}$/);
    assert.equal(processes.take(handle, "ours").resumed, "a");
    expired(() => processes.take(handle, "ours"));
    assert.equal(process.ends(), 0);
  });

  test("is not found by another request, and still waits for its own", (t) => {
    const [processes, process] = [held(t), waiting()];
    const handle = processes.keep(process);
    for (const binding of ["", "theirs", "ours "]) expired(() => processes.take(handle, binding));
    assert.equal(processes.take(handle, "ours").resumed, "a");
  });

  test("is not found by anything else", (t) => {
    const processes = held(t);
    processes.keep(waiting());
    const uuid = "6f0c1a2e-0000-4000-8000-000000000000";
    for (const handle of [undefined, null, "", 7, {}, "mayfly-held.", `mayfly-held.${uuid}`, "constructor"]) {
      expired(() => processes.take(handle, "ours"));
    }
  });

  test("has a handle of its own each time", (t) => {
    const [processes, process] = [held(t), waiting()];
    const first = processes.keep(process);
    processes.take(first, "ours");
    const second = processes.keep(process);
    assert.notEqual(first, second);
    expired(() => processes.take(first, "ours"));
    assert.equal(processes.take(second, "ours").resumed, "a");
  });

  test("is ended when nobody comes back in time, and is found no more", async (t) => {
    const [processes, process] = [held(t, 8, 20), waiting()];
    const handle = processes.keep(process);
    await within(process.ended, 5000, "the end of a process that waits");
    expired(() => processes.take(handle, "ours"));
    assert.equal(process.ends(), 1);
  });

  test("is not ended any more once it was taken", async (t) => {
    const processes = held(t, 8, 20);
    const [taken, left] = [waiting("taken"), waiting("left")];
    const handle = processes.keep(taken);
    processes.keep(left);
    processes.take(handle, "ours");
    await within(left.ended, 5000, "the end of the other process");
    taken.exit();
    await taken.exited;
    assert.equal(taken.ends(), 0);
  });

  test("has a limit that no timer can count, and is not ended at once", async (t) => {
    const [processes, process, other] = [held(t, 8, 2 ** 40), waiting(), held(t, 8, 20)];
    const handle = processes.keep(process);
    const soon = waiting();
    other.keep(soon);
    await within(soon.ended, 5000, "the end of a process with a short limit");
    assert.equal(processes.take(handle, "ours").resumed, "a");
  });

  test("is forgotten when it has ended by itself, and leaves its place", async (t) => {
    const processes = held(t, 4);
    const [gone, first, second] = [waiting("gone"), waiting("first"), waiting("second")];
    const handle = processes.keep(gone);
    gone.exit();
    await gone.exited;
    expired(() => processes.take(handle, "ours"));
    processes.keep(first);
    processes.keep(second);
    assert.deepEqual([first.ends(), second.ends()], [0, 0]);
  });
});

describe("of the processes that wait", () => {
  const rows: readonly (readonly [maxProcesses: number, limit: number])[] = [
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 2],
    [9, 4],
    [127, 63],
    [128, 64],
    [1000, 64],
    [Number.POSITIVE_INFINITY, 64],
  ];
  for (const [maxProcesses, limit] of rows) {
    test(`${limit} of ${maxProcesses} may, and the oldest ones make room`, (t) => {
      const processes = held(t, maxProcesses);
      const all = Array.from({ length: limit + 2 }, (_, at) => waiting(String(at)));
      const handles = all.map((process) => processes.keep(process));
      assert.deepEqual(
        all.map(({ ends }) => ends()),
        [1, 1, ...Array.from({ length: limit }, () => 0)],
      );
      for (const handle of handles.slice(0, 2)) expired(() => processes.take(handle, "ours"));
      const found = handles.slice(2).map((handle) => processes.take(handle, "ours").resumed);
      assert.deepEqual(
        found,
        all.slice(2).map(({ resumed }) => resumed),
      );
    });
  }

  test("a taken one leaves its place", (t) => {
    const processes = held(t, 4);
    const [one, two, three] = [waiting("one"), waiting("two"), waiting("three")];
    processes.take(processes.keep(one), "ours");
    processes.keep(two);
    processes.keep(three);
    assert.deepEqual(
      [one, two, three].map(({ ends }) => ends()),
      [0, 0, 0],
    );
  });

  test("one that must be over sooner than others is ended sooner", async (t) => {
    const [processes, process] = [held(t), waiting()];
    processes.keep({ ...process, until: Date.now() + 20 });
    await within(process.ended, 5000, "the end of a process that was held for long");
  });

  test("the oldest of the same caller gives way first", (t) => {
    const processes = held(t, 4);
    const [theirs, mine, another] = [waiting("theirs"), waiting("mine"), waiting("another")];
    processes.keep({ ...theirs, principal: "somebody else" });
    processes.keep(mine);
    processes.keep(another);
    assert.deepEqual(
      [theirs, mine, another].map(({ ends }) => ends()),
      [0, 1, 0],
    );
  });

  test("one that has its share lets its own give way, and never that of another", () => {
    const places = createPlaces(8, true);
    const processes = createHeldProcesses<string>(places);
    const [theirs, mine] = [waiting("theirs"), waiting("mine")];
    processes.keep({ ...theirs, principal: "somebody else" });
    const [first, second] = [places.take({ principal: "me" }), places.take({ principal: "me" })];
    assert.throws(() => processes.keep({ ...mine, principal: "me" }), { code: "NO_SHARE_LEFT" });
    first();
    processes.keep({ ...mine, principal: "me" });
    processes.keep({ ...waiting("again"), principal: "me" });
    assert.deepEqual([theirs.ends(), mine.ends()], [0, 1]);
    second();
    processes.endAll();
  });

  test("none is kept where others have taken all places, and none is ended for it", () => {
    const places = createPlaces(4);
    const [processes, others] = [createHeldProcesses<string>(places), [places.take(), places.take()]];
    assert.throws(() => processes.keep(waiting()), { code: "NO_PLACE_TO_WAIT" });
    others[0]?.();
    const process = waiting();
    processes.keep(process);
    assert.equal(process.ends(), 0);
    processes.endAll();
  });

  test("all are ended at once, and none is kept later", (t) => {
    const processes = held(t);
    const [one, two, taken] = [waiting(), waiting(), waiting()];
    const handles = [one, two].map((process) => processes.keep(process));
    processes.take(processes.keep(taken), "ours");
    processes.endAll();
    processes.endAll();
    assert.throws(() => processes.keep(waiting()), { code: "SHUTTING_DOWN" });
    assert.deepEqual(
      [one, two, taken].map(({ ends }) => ends()),
      [1, 1, 0],
    );
    for (const handle of handles) expired(() => processes.take(handle, "ours"));
  });
});
