import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, mock, test } from "node:test";
import type { TestContext } from "node:test";

import { MayflyError } from "../lib/errors.ts";
import { ClientGone, createLifetime, onAbort } from "../lib/lifetime.ts";
import type { Lifetime, LifetimeSources } from "../lib/lifetime.ts";

const NOW = 1_000_000_000_000;

function fakeTime(t: TestContext): void {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: NOW });
  t.after(() => mock.timers.reset());
}

function setUp(options: Partial<LifetimeSources> = {}) {
  const [client, shutdown] = [new AbortController(), new AbortController()];
  const sources = { clients: [{}, client], shutdown: shutdown.signal, ...options };
  const listeners = (): number[] =>
    [client, shutdown].map(({ signal }) => getEventListeners(signal, "abort").length);
  return { client, shutdown, lifetime: createLifetime(sources), listeners };
}

function codeOf({ signal }: Lifetime): string {
  const reason: unknown = signal.reason;
  return reason instanceof MayflyError ? reason.code : (reason as Error).name;
}

describe("a lifetime ends", () => {
  test("with ClientGone when the client goes", () => {
    const { client, lifetime, listeners } = setUp();
    assert.equal(lifetime.signal.aborted, false);
    client.abort();
    assert.ok(lifetime.signal.reason instanceof ClientGone);
    assert.deepEqual(listeners(), [0, 0]);
  });

  test("at once when the client has gone already", () => {
    const { lifetime } = setUp({ clients: [{ signal: AbortSignal.abort() }] });
    assert.equal(codeOf(lifetime), "ClientGone");
  });

  test("with SHUTTING_DOWN when the host shuts down", () => {
    const { shutdown, lifetime, listeners } = setUp();
    shutdown.abort();
    assert.equal(codeOf(lifetime), "SHUTTING_DOWN");
    assert.deepEqual(listeners(), [0, 0]);
  });

  test("with DEADLINE a second before the platform's deadline", (t) => {
    fakeTime(t);
    const { lifetime } = setUp({ deadline: NOW + 5000 });
    mock.timers.tick(3999);
    assert.equal(lifetime.signal.aborted, false);
    mock.timers.tick(1);
    assert.equal(codeOf(lifetime), "DEADLINE");
  });

  for (const leftMs of [-1_000_000, 0, 1000, 1019]) {
    test(`with DEADLINE at once, ${leftMs} milliseconds before it, when nothing could be answered any more`, (t) => {
      fakeTime(t);
      const { lifetime, listeners } = setUp({ deadline: NOW + leftMs });
      assert.equal(codeOf(lifetime), "DEADLINE");
      assert.deepEqual(listeners(), [0, 0]);
    });
  }

  test("not before there is too little time to start anything", (t) => {
    fakeTime(t);
    const { lifetime } = setUp({ deadline: NOW + 1020 });
    assert.equal(lifetime.signal.aborted, false);
    mock.timers.tick(20);
    assert.equal(codeOf(lifetime), "DEADLINE");
  });

  test("for the client that has gone, and not for the deadline that is over too", () => {
    const { lifetime } = setUp({ clients: [{ signal: AbortSignal.abort() }], deadline: 0 });
    assert.equal(codeOf(lifetime), "ClientGone");
  });

  test("with the error of its limit", (t) => {
    fakeTime(t);
    const { lifetime } = setUp();
    lifetime.endAfter(100, new MayflyError("REQUEST_TIMEOUT"));
    mock.timers.tick(100);
    assert.equal(codeOf(lifetime), "REQUEST_TIMEOUT");
  });

  test("for one reason only", () => {
    const { client, shutdown, lifetime } = setUp();
    lifetime.end(new MayflyError("DEADLINE"));
    client.abort();
    shutdown.abort();
    lifetime.end(new ClientGone());
    assert.equal(codeOf(lifetime), "DEADLINE");
  });
});

describe("a lifetime goes on", () => {
  test("when its limit is stopped", (t) => {
    fakeTime(t);
    const { lifetime } = setUp();
    lifetime.endAfter(100, new MayflyError("REQUEST_TIMEOUT"))();
    mock.timers.tick(1000);
    assert.equal(lifetime.signal.aborted, false);
  });

  test("for ever when it has been disposed, and listens to nobody", (t) => {
    fakeTime(t);
    const { client, shutdown, lifetime, listeners } = setUp({ deadline: NOW + 2000 });
    lifetime.endAfter(100, new MayflyError("REQUEST_TIMEOUT"));
    lifetime.dispose();
    lifetime.dispose();
    assert.deepEqual(listeners(), [0, 0]);
    client.abort();
    shutdown.abort();
    mock.timers.tick(10_000);
    assert.equal(lifetime.signal.aborted, false);
  });

  for (const ms of [2 ** 31, Number.MAX_SAFE_INTEGER, Infinity]) {
    test(`with a limit of ${ms} milliseconds, which a timer of Node cannot hold`, async (t) => {
      const { lifetime } = setUp({ deadline: Date.now() + ms });
      t.after(() => lifetime.dispose());
      lifetime.endAfter(ms, new MayflyError("REQUEST_TIMEOUT"));
      // Node takes such a time for one millisecond, and timers of the same time fire in their order.
      await new Promise((resolve) => setTimeout(resolve, 1));
      assert.equal(lifetime.signal.aborted, false);
    });
  }
});

describe("onAbort", () => {
  test("runs when the signal fires, once", () => {
    const controller = new AbortController();
    let runs = 0;
    onAbort(controller.signal, () => (runs += 1));
    controller.abort();
    controller.abort();
    assert.equal(runs, 1);
  });

  test("runs now if the signal has fired, and never without a signal", () => {
    let runs = 0;
    onAbort(AbortSignal.abort(), () => (runs += 1))();
    onAbort(undefined, () => (runs += 1))();
    assert.equal(runs, 1);
  });

  test("stops listening when told", () => {
    const controller = new AbortController();
    const off = onAbort(controller.signal, () => assert.fail("nobody listens"));
    off();
    off();
    controller.abort();
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  });
});
