import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { availableParallelism, totalmem } from "node:os";

import { createCapacity, defaultMaxProcesses } from "../lib/capacity.ts";
import { MayflyError } from "../lib/errors.ts";
import { within } from "./support/deadline.ts";

const NEVER = new AbortController().signal;

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

/** Notes the order in which requests get their places. */
function queueOf(limit: number) {
  const capacity = createCapacity(limit);
  const entered: string[] = [];
  const enter = async (name: string, signal = NEVER): Promise<() => void> => {
    const release = await capacity.acquire(signal);
    entered.push(name);
    return release;
  };
  return { enter, entered };
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
    const third = enter("third", stop.signal);
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
    const waiting = [enter("third", stop.signal), enter("fourth", stop.signal)];
    await assert.rejects(enter("fifth"), isOverloaded(2));
    stop.abort(new Error("over"));
    for (const promise of waiting) await assert.rejects(promise, /over/);
  });

  test("leaves with its signal, and its turn goes to the next", async () => {
    const { enter, entered } = queueOf(2);
    const [release] = await Promise.all([enter("first"), enter("second")]);
    const gone = new AbortController();
    const third = enter("third", gone.signal);
    const fourth = enter("fourth");
    gone.abort(new Error("the client has gone"));
    await assert.rejects(third, /the client has gone/);
    release();
    await within(fourth, 2000, "the fourth enters");
    assert.deepEqual(entered, ["first", "second", "fourth"]);
  });

  test("does not even queue when its signal has fired", async () => {
    const { enter } = queueOf(1);
    await assert.rejects(enter("first", AbortSignal.abort(new Error("gone"))), /gone/);
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

test("the default number of processes is between four and eight for each core, and fits into memory", () => {
  const byMemory = Math.max(4, Math.floor(totalmem() / 2 / 2 ** 27));
  assert.equal(defaultMaxProcesses(), Math.max(4, Math.min(8 * availableParallelism(), byMemory)));
});
