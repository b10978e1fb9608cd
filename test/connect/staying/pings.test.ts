import { deepEqual, equal, ok } from "node:assert/strict";
import { mock, test } from "node:test";

import { pauseAfter } from "../../../lib/connect/backoff.ts";
import { startPings } from "../../../lib/connect/staying/pings.ts";

test("two pings without an answer are the end, and more while the remote works for the client", (t) => {
  mock.timers.enable({ apis: ["setInterval"] });
  t.after(() => mock.timers.reset());
  const counts = { pings: 0, losses: 0 };
  let isBusy = false;
  const pings = startPings({
    intervalMs: 100,
    isWanted: () => true,
    isBusy: () => isBusy,
    ping: () => void (counts.pings += 1),
    lost: () => void (counts.losses += 1),
  });
  t.after(() => pings.stop());
  mock.timers.tick(200);
  deepEqual(counts, { pings: 2, losses: 0 });
  pings.heard();
  mock.timers.tick(300);
  deepEqual(counts, { pings: 4, losses: 0 });
  mock.timers.tick(100);
  deepEqual(counts, { pings: 4, losses: 1 });
  isBusy = true;
  mock.timers.tick(1200);
  deepEqual(counts, { pings: 16, losses: 1 });
  mock.timers.tick(100);
  deepEqual(counts, { pings: 16, losses: 2 });
  pings.stop();
  mock.timers.tick(1000);
  deepEqual(counts, { pings: 16, losses: 2 });
});

test("pauses double from a quarter of a second to thirty, and up to half of each is left to chance", () => {
  const longest = (failures: number): number => pauseAfter(failures, () => 0);
  deepEqual(
    [1, 2, 3, 4, 7, 8, 50, 5000].map(longest),
    [250, 500, 1000, 2000, 16_000, 30_000, 30_000, 30_000],
  );
  equal(pauseAfter(1, () => 0.999_999_9) > 124, true);
  ok([...Array(100).keys()].every((failures) => pauseAfter(failures) <= 30_000));
});
