import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { Unavailable } from "../../lib/connect/link.ts";
import { reach } from "../../lib/connect/reaching.ts";
import type { Reaching } from "../../lib/connect/reaching.ts";
import { MayflyError } from "../../lib/errors.ts";
import { silentLogger } from "../../lib/logger.ts";

const AWAY = new MayflyError("REMOTE_UNREACHABLE", { values: { detail: "connection refused" } });

interface Away extends Reaching {
  /** Attempts in so many seconds of a clock that the test moves. */
  attemptsIn(seconds: number): Promise<number>;
}

/** A remote that never comes. */
function away(t: TestContext, error: Error = AWAY): Away {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let attempts = 0;
  const open = (): Promise<never> => {
    attempts += 1;
    return Promise.reject(error);
  };
  const reaching = reach({ open, where: "http://127.0.0.1/mcp", logger: silentLogger });
  t.after(() => reaching.close());
  const attemptsIn = async (seconds: number): Promise<number> => {
    const before = attempts;
    for (let tenths = 0; tenths < seconds * 10; tenths += 1) {
      t.mock.timers.tick(100);
      await turn();
    }
    return attempts - before;
  };
  return { ...reaching, attemptsIn };
}

test("a remote that a request waits for is tried every second, however long it has been away", async (t) => {
  const remote = away(t);
  const waiting = assert.rejects(remote.wait(30_000), AWAY);
  const attempts = await remote.attemptsIn(30);
  assert.ok(attempts >= 25, `${attempts} attempts`);
  await waiting;
});

test("a request that comes in a long pause has the next attempt made within a second", async (t) => {
  const remote = away(t);
  await remote.attemptsIn(120);
  const waiting = assert.rejects(remote.wait(3000), AWAY);
  assert.ok((await remote.attemptsIn(3)) >= 2);
  await waiting;
});

test("a remote that nobody waits for is tried less and less often", async (t) => {
  const remote = away(t);
  await remote.attemptsIn(120);
  assert.ok((await remote.attemptsIn(60)) <= 4);
});

test("a remote that has said when to come back is left alone until then, even if a request waits", async (t) => {
  const remote = away(t, new Unavailable(AWAY, 10_000));
  const waiting = assert.rejects(remote.wait(30_000), AWAY);
  await remote.attemptsIn(0.1);
  assert.equal(await remote.attemptsIn(9.5), 0);
  assert.equal(await remote.attemptsIn(1), 1);
  await remote.attemptsIn(20);
  await waiting;
});
