import assert from "node:assert/strict";
import { test } from "node:test";

import { until, within } from "./deadline.ts";

test("within hands on what the promise gives, and leaves no timer", async () => {
  const before = timers();
  assert.equal(await within(Promise.resolve(1), 60_000, "never shown"), 1);
  await assert.rejects(within(Promise.reject(new Error("its own")), 60_000, "never shown"), /its own/);
  assert.equal(timers(), before);
});

test("within rejects with its label", async () => {
  const never = new Promise(() => undefined);
  await assert.rejects(
    within(never, 10, "the door opens"),
    /^Error: not within 10 milliseconds: the door opens$/,
  );
});

test("until gives the first truthy result", async () => {
  let looks = 0;
  const check = (): string => (++looks < 3 ? "" : "found");
  assert.equal(await until(check, { withinMs: 1000, label: "found" }), "found");
  assert.equal(looks, 3);
});

test("until asks for its label when the time is over", async () => {
  let looks = 0;
  const waiting = until(() => void looks++, { withinMs: 20, label: () => `${looks} looks` });
  await assert.rejects(
    waiting,
    ({ message }: Error) => message === `not within 20 milliseconds: ${looks} looks`,
  );
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}
