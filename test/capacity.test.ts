import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { after, describe, mock, test } from "node:test";
import { availableParallelism } from "node:os";

import type { Claim } from "../lib/capacity/usage.ts";
import { createCapacity, defaultMaxProcesses } from "../lib/capacity.ts";
import { memoryBytes } from "../lib/memory.ts";
import type { CapacityLimits } from "../lib/capacity.ts";
import { MayflyError } from "../lib/errors.ts";
import { within } from "./support/deadline.ts";

/** Ends what still waits when a test is over. */
const over = new AbortController();
setMaxListeners(0, over.signal);
after(() => over.abort(new Error("the tests are over")));

function isOverloaded(limit: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof MayflyError);
    assert.deepEqual(
      [error.code, error.status, error.rpcCode, error.reason, error.headers],
      ["OVERLOADED", 503, -32603, "overloaded", { "Retry-After": "1" }],
    );
    assert.equal(error.message, `All ${limit} processes are in use: try again`);
    return true;
  };
}

function isServerOverloaded(error: unknown): boolean {
  assert.ok(error instanceof MayflyError);
  assert.deepEqual([error.code, error.status, error.reason], ["SERVER_OVERLOADED", 503, "overloaded"]);
  assert.equal(error.message, 'All 1 processes of the server "narrow" are in use: try again');
  return true;
}

const WIDE: Claim = { principal: "ann", server: { name: "wide" } };
const NARROW: Claim = { principal: "ann", server: { name: "narrow", maxProcesses: 1 } };

interface Asked {
  readonly signal?: AbortSignal;
  readonly claim?: Claim;
}

/** Notes the order in which requests get their places. */
function queueOf(limits: number | CapacityLimits) {
  const capacity = createCapacity(typeof limits === "number" ? { maxProcesses: limits } : limits);
  const entered: string[] = [];
  const enter = async (
    name: string,
    { signal = over.signal, claim = WIDE }: Asked = {},
  ): Promise<() => void> => {
    const release = await capacity.acquire(claim, signal);
    entered.push(name);
    return release;
  };
  /** The same for one that may be refused, or wait until the end. */
  const wait = (name: string, asked?: Asked): Promise<() => void> => {
    const promise = enter(name, asked);
    promise.catch(() => undefined);
    return promise;
  };
  return { enter, wait, entered };
}

/** As many turns as a place takes on its way from one request to the next, and more. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe("places", () => {
  test("are given at once while there are any", async () => {
    const { enter, entered } = queueOf(2);
    await enter("first");
    await enter("second");
    assert.deepEqual(entered, ["first", "second"]);
  });

  test("are handed on in the order of asking", async () => {
    const { enter, entered } = queueOf(2);
    const releases = await Promise.all([enter("first"), enter("second")]);
    const waiting = [enter("third"), enter("fourth")];
    releases[1]();
    const third = await within(waiting[0]!, 2000, "the third enters");
    assert.deepEqual(entered, ["first", "second", "third"]);
    third();
    await within(waiting[1]!, 2000, "the fourth enters");
    assert.deepEqual(entered, ["first", "second", "third", "fourth"]);
  });

  test("given back twice count once", async () => {
    const { enter, entered } = queueOf(1);
    const release = await enter("first");
    release();
    release();
    await enter("second");
    release();
    const stop = new AbortController();
    const third = enter("third", { signal: stop.signal });
    await assert.rejects(enter("fourth"), isOverloaded(1));
    assert.deepEqual(entered, ["first", "second"]);
    stop.abort(new Error("over"));
    await assert.rejects(third, /over/);
  });

  test("given back while nobody waits are free again", async () => {
    const { enter } = queueOf(1);
    for (const name of ["first", "second", "third"]) (await enter(name))();
  });
});

describe("a request that waits for a place", () => {
  test("is refused when as many wait as there are places", async () => {
    const { enter } = queueOf(2);
    const stop = new AbortController();
    await Promise.all([enter("first"), enter("second")]);
    const waiting = [enter("third", { signal: stop.signal }), enter("fourth", { signal: stop.signal })];
    await assert.rejects(enter("fifth"), isOverloaded(2));
    stop.abort(new Error("over"));
    for (const promise of waiting) await assert.rejects(promise, /over/);
  });

  test("leaves with its signal, and its turn goes to the next", async () => {
    const { enter, entered } = queueOf(2);
    const [release] = await Promise.all([enter("first"), enter("second")]);
    const gone = new AbortController();
    const third = enter("third", { signal: gone.signal });
    const fourth = enter("fourth");
    gone.abort(new Error("the client has gone"));
    await assert.rejects(third, /the client has gone/);
    release();
    await within(fourth, 2000, "the fourth enters");
    assert.deepEqual(entered, ["first", "second", "fourth"]);
  });

  test("does not even queue when its signal has fired", async () => {
    const { enter } = queueOf(1);
    await assert.rejects(enter("first", { signal: AbortSignal.abort(new Error("gone")) }), /gone/);
    await enter("second");
  });

  test("is refused after five seconds, and its turn goes to the next", async (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => mock.timers.reset());
    const { enter } = queueOf(2);
    const releases = await Promise.all([enter("first"), enter("second")]);
    const third = enter("third");
    mock.timers.tick(4999);
    const fourth = enter("fourth");
    const refused = assert.rejects(third, isOverloaded(2));
    mock.timers.tick(1);
    await refused;
    releases[0]();
    (await fourth)();
  });
});

describe("the queue", () => {
  test("is as long as maxQueued says", async () => {
    const { enter, entered } = queueOf({ maxProcesses: 1, maxQueued: 3 });
    const release = await enter("first");
    const waiting = ["second", "third", "fourth"].map((name) => enter(name));
    await assert.rejects(enter("fifth"), isOverloaded(1));
    release();
    for (const promise of waiting) (await within(promise, 2000, "the next enters"))();
    assert.deepEqual(entered, ["first", "second", "third", "fourth"]);
  });

  test("can be closed", async () => {
    const { enter } = queueOf({ maxProcesses: 1, maxQueued: 0 });
    const release = await enter("first");
    await assert.rejects(enter("second"), isOverloaded(1));
    release();
    await enter("third");
  });

  test("refuses after queueTimeoutMs", async (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => mock.timers.reset());
    const { enter } = queueOf({ maxProcesses: 1, queueTimeoutMs: 70_000 });
    await enter("first");
    let isRefused = false;
    const second = enter("second").finally(() => (isRefused = true));
    const refused = assert.rejects(second, isOverloaded(1));
    mock.timers.tick(69_999);
    await Promise.resolve();
    assert.equal(isRefused, false);
    mock.timers.tick(1);
    await refused;
  });

  test("takes a successor however many wait, and lets it in first", async () => {
    const { enter, entered } = queueOf({ maxProcesses: 1, maxQueued: 1 });
    const release = await enter("predecessor");
    const other = enter("other", { claim: { ...WIDE, principal: "bob" } });
    const successor = enter("successor", { claim: { ...WIDE, isSuccessor: true } });
    release();
    (await within(successor, 2000, "the successor enters"))();
    await within(other, 2000, "the other enters");
    assert.deepEqual(entered, ["predecessor", "successor", "other"]);
  });
});

describe("a server with a limit of its own", () => {
  test("has no more processes than that, and the others have the rest", async () => {
    const { enter, wait, entered } = queueOf(3);
    const release = await enter("narrow 1", { claim: NARROW });
    const waiting = wait("narrow 2", { claim: NARROW });
    await Promise.all([enter("wide 1"), enter("wide 2")]);
    await settled();
    assert.deepEqual(entered, ["narrow 1", "wide 1", "wide 2"]);
    release();
    await within(waiting, 2000, "the second of the narrow server enters");
  });

  test("keeps nobody waiting who asks for another server", async () => {
    const { enter, wait, entered } = queueOf(2);
    await enter("narrow 1", { claim: NARROW });
    void wait("narrow 2", { claim: NARROW });
    const release = await enter("wide 1");
    const wide = enter("wide 2");
    release();
    await within(wide, 2000, "the wide server goes on");
    assert.deepEqual(entered, ["narrow 1", "wide 1", "wide 2"]);
  });

  test("is named when it is the reason, and the host when that is", async () => {
    const { enter } = queueOf({ maxProcesses: 2, maxQueued: 0 });
    await enter("narrow 1", { claim: NARROW });
    await assert.rejects(enter("narrow 2", { claim: NARROW }), isServerOverloaded);
    await enter("wide 1");
    await assert.rejects(enter("narrow 2", { claim: NARROW }), isOverloaded(2));
  });

  test("has its queue pushed out by those who need not wait for it, of the same caller", async () => {
    const { enter, wait, entered } = queueOf({ maxProcesses: 2, maxQueued: 2 });
    await enter("narrow 1", { claim: NARROW });
    void wait("narrow 2", { claim: NARROW });
    const third = wait("narrow 3", { claim: NARROW });
    const release = await enter("wide 1");
    const wide = enter("wide 2");
    await assert.rejects(within(third, 2000, "the third is refused"), isOverloaded(2));
    release();
    await within(wide, 2000, "the wide server goes on");
    assert.deepEqual(entered, ["narrow 1", "wide 1", "wide 2"]);
  });

  test("may not have more than the host", async () => {
    const { enter, wait, entered } = queueOf(1);
    const claim = { principal: "ann", server: { name: "wider", maxProcesses: 5 } };
    await enter("first", { claim });
    void wait("second", { claim });
    await settled();
    assert.deepEqual(entered, ["first"]);
  });
});

describe("between callers", () => {
  const [ann, bob, eve] = ["ann", "bob", "eve"].map((principal): Asked => ({
    claim: { ...WIDE, principal },
  }));

  test("a place goes to the one who has the fewest", async () => {
    const { enter, entered } = queueOf({ maxProcesses: 3, maxQueued: 9 });
    const [release] = await Promise.all([enter("eve 1", eve), enter("eve 2", eve), enter("ann 1", ann)]);
    const waiting = [enter("eve 3", eve), enter("ann 2", ann), enter("bob 1", bob)];
    release();
    (await within(waiting[2]!, 2000, "bob enters, who has none"))();
    // Of one each, whoever came first.
    (await within(waiting[0]!, 2000, "eve enters, who came before ann"))();
    await within(waiting[1]!, 2000, "ann enters");
    assert.deepEqual(entered.slice(3), ["bob 1", "eve 3", "ann 2"]);
  });

  test("the one with the most leaves a full queue for the one with less, and its newest goes", async () => {
    const { enter, wait, entered } = queueOf({ maxProcesses: 1, maxQueued: 2 });
    const release = await enter("eve 1", eve);
    const [second, third] = [wait("eve 2", eve), wait("eve 3", eve)];
    const first = enter("ann 1", ann);
    await assert.rejects(within(third, 2000, "the newest is refused"), isOverloaded(1));
    release();
    (await within(first, 2000, "ann enters"))();
    await within(second, 2000, "the older one of eve enters");
    assert.deepEqual(entered, ["eve 1", "ann 1", "eve 2"]);
  });

  test("equal ones do not push each other out", async () => {
    const { enter, wait, entered } = queueOf({ maxProcesses: 2, maxQueued: 2 });
    const release = await enter("ann 1", ann);
    await enter("bob 1", bob);
    void wait("ann 2", ann);
    const third = wait("bob 2", bob);
    await assert.rejects(enter("ann 3", ann), isOverloaded(2));
    await assert.rejects(enter("bob 3", bob), isOverloaded(2));
    // To push one out for eve is fair once, since she has nothing; and not a second time.
    void wait("eve 1", eve);
    await assert.rejects(within(third, 2000, "the newest is refused"), isOverloaded(2));
    await assert.rejects(enter("eve 2", eve), isOverloaded(2));
    release();
    await settled();
    assert.deepEqual(entered, ["ann 1", "bob 1", "eve 1"]);
  });

  test("places count as well as turns in the queue", async () => {
    const { enter, wait } = queueOf({ maxProcesses: 3, maxQueued: 2 });
    await Promise.all([enter("ann 1", ann), enter("ann 2", ann), enter("ann 3", ann)]);
    void wait("bob 1", bob);
    void wait("bob 2", bob);
    await assert.rejects(enter("ann 4", ann), isOverloaded(3));
  });

  test("a caller who is always there cannot keep another out", async () => {
    const { enter, wait, entered } = queueOf({ maxProcesses: 1, maxQueued: 1 });
    let release = await enter("eve", eve);
    const again = wait("eve", eve);
    const other = enter("ann", ann);
    await assert.rejects(again, isOverloaded(1));
    await assert.rejects(enter("eve", eve), isOverloaded(1));
    release();
    release = await within(other, 2000, "ann enters");
    assert.deepEqual(entered, ["eve", "ann"]);
    release();
  });
});

function by(principal: string): Asked {
  return { claim: { ...WIDE, principal } };
}

describe("where there are several callers", () => {
  const [ann, bob, eve] = [by("ann"), by("bob"), by("eve")];
  const SHARED = { maxProcesses: 16, maxQueued: 16, isShared: true };

  /** Asks for more places than there are. @returns how to give back those that were given */
  async function fill(queue: ReturnType<typeof queueOf>, who: Asked): Promise<(() => void)[]> {
    const releases: (() => void)[] = [];
    for (let request = 0; request < SHARED.maxQueued; request += 1) {
      void queue.wait(who.claim?.principal ?? "", who).then(
        (release) => releases.push(release),
        () => undefined,
      );
    }
    await settled();
    return releases;
  }

  test("none of them gets all places, and there is one for whoever has none", async () => {
    const queue = queueOf(SHARED);
    const counts = [(await fill(queue, eve)).length, (await fill(queue, ann)).length];
    assert.deepEqual(counts, [12, 3]);
    await within(queue.enter("late", by("late")), 2000, "the last one enters");
  });

  test("who has its share waits, is told so, and goes on when it has less", async () => {
    const { enter, wait } = queueOf({ maxProcesses: 4, maxQueued: 1, isShared: true });
    const [release] = await Promise.all([enter("eve 1", eve), enter("eve 2", eve), enter("eve 3", eve)]);
    const fourth = wait("eve 4", eve);
    await assert.rejects(enter("eve 5", eve), {
      code: "CALLER_OVERLOADED",
      status: 503,
      reason: "overloaded",
    });
    release();
    await within(fourth, 2000, "the fourth enters");
  });

  test("all who may go on do when a place is given back", async () => {
    const { enter, wait } = queueOf({ maxProcesses: 4, maxQueued: 4, isShared: true });
    const [first, second] = await Promise.all([enter("bob 1", bob), enter("bob 2", bob)]);
    await enter("eve 1", eve);
    const more = [wait("eve 2", eve), wait("eve 3", eve)];
    first();
    second();
    await within(Promise.all(more), 2000, "both enter");
  });

  test("none of them gets all places of a server", async () => {
    const { enter, wait, entered } = queueOf(SHARED);
    const server = { name: "narrow", maxProcesses: 4 };
    for (let request = 1; request <= 4; request += 1)
      void wait(`eve ${request}`, { claim: { principal: "eve", server } });
    await within(enter("ann 1", { claim: { principal: "ann", server } }), 2000, "ann enters");
    assert.deepEqual(entered, ["eve 1", "eve 2", "eve 3", "ann 1"]);
  });

  test("a single place, and a successor, are not held back", async () => {
    const one = queueOf({ maxProcesses: 1, isShared: true });
    await one.enter("eve", eve);
    const two = queueOf({ maxProcesses: 2, isShared: true });
    await two.enter("eve", eve);
    await two.enter("eve's successor", { claim: { ...WIDE, principal: "eve", isSuccessor: true } });
  });
});

test("the default number of processes is between four and eight for each core, and fits into memory", () => {
  const byMemory = Math.max(4, Math.floor(memoryBytes() / 2 / 2 ** 27));
  assert.equal(defaultMaxProcesses(), Math.max(4, Math.min(8 * availableParallelism(), byMemory)));
});

test("in a container, the default number of processes fits into the memory of the container", (t) => {
  t.mock.method(process, "constrainedMemory", () => 1.25 * 1024 ** 3);
  assert.equal(defaultMaxProcesses(), 5);
});
