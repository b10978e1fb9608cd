import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";

import { HOST_ID, createHostId, fateOf } from "../../lib/processes/host-id.ts";
import { within } from "../support/deadline.ts";

const WAIT_MS = 10_000;

describe("the name of a host", () => {
  test("is another one each time, and tells that its process is alive", () => {
    const [first, second] = [createHostId(), createHostId()];
    assert.notEqual(first, second);
    for (const id of [first, second]) {
      assert.match(id, new RegExp(`^${HOST_ID}$`));
      assert.equal(fateOf(id), "alive");
    }
  });

  test("tells that its process has ended, also where another has its number by now", async () => {
    const other = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await within(once(other, "exit"), WAIT_MS, "the process ends");
    const [space, pid, start, random] = createHostId().split("-");
    assert.equal(fateOf([space, other.pid, start, random].join("-")), "gone");
    assert.equal(fateOf([space, pid, Number(start) + 1, random].join("-")), "gone");
  });

  test("tells nothing of a process on another machine or in another container", () => {
    const [, ...rest] = createHostId().split("-");
    assert.equal(fateOf(["00000000", ...rest].join("-")), "unknown");
  });

  test("does without the time of the start where no system tells it", async () => {
    const [space, pid, , random] = createHostId().split("-");
    assert.equal(fateOf([space, pid, 0, random].join("-")), "alive");
    const other = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await within(once(other, "exit"), WAIT_MS, "the process ends");
    assert.equal(fateOf([space, other.pid, 0, random].join("-")), "gone");
  });
});
