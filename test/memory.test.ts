import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { describe, test } from "node:test";

import { memoryBytes } from "../lib/memory.ts";

describe("the memory that there is", () => {
  for (const [what, constrained, expected] of [
    ["of a container is what it may have", 2 ** 28, 2 ** 28],
    ["without a limit is that of the machine", 2 ** 64, totalmem()],
    ["of a system that tells no limit is that of the machine", 0, totalmem()],
    ["of a Node that says nothing is that of the machine", undefined, totalmem()],
  ] as const) {
    test(what, (t) => {
      t.mock.method(process, "constrainedMemory", () => constrained);
      assert.equal(memoryBytes(), expected);
    });
  }
});
