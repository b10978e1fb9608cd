import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ERA_SETTINGS, createEraMemory } from "../../lib/exchange/era-memory.ts";

test("an operator may say four things about a server", () => {
  assert.deepEqual(ERA_SETTINGS, ["auto", "legacy", "modern", "dual"]);
});

describe("what is configured", () => {
  const rows = [
    ["legacy", { modern: false, legacy: true }],
    ["modern", { modern: true, legacy: false }],
    ["dual", { modern: true, legacy: true }],
  ] as const;
  for (const [setting, known] of rows) {
    test(`as ${setting} stays, whatever a process shows`, () => {
      const memory = createEraMemory(setting);
      assert.deepEqual(memory.known(), known);
      memory.learn({ modern: !known.modern, legacy: !known.legacy });
      memory.learn({ modern: undefined });
      assert.deepEqual(memory.known(), known);
    });
  }
});

describe("without configuration", () => {
  test("nothing is known at first", () => {
    assert.deepEqual(createEraMemory().known(), {});
    assert.deepEqual(createEraMemory("auto").known(), {});
  });

  test("two facts are learned, each by itself", () => {
    const memory = createEraMemory();
    memory.learn({ modern: false });
    assert.deepEqual(memory.known(), { modern: false });
    memory.learn({ legacy: true });
    assert.deepEqual(memory.known(), { modern: false, legacy: true });
    memory.learn({});
    assert.deepEqual(memory.known(), { modern: false, legacy: true });
  });

  test("the last word counts, also that something is not known any more", () => {
    const memory = createEraMemory();
    memory.learn({ modern: true, legacy: false });
    memory.learn({ modern: undefined });
    assert.equal(memory.known().modern, undefined);
    assert.equal(memory.known().legacy, false);
    memory.learn({ modern: false });
    assert.equal(memory.known().modern, false);
  });

  test("one server's memory is none of another's", () => {
    const [one, other] = [createEraMemory(), createEraMemory()];
    one.learn({ modern: true });
    assert.deepEqual(other.known(), {});
    assert.deepEqual(createEraMemory().known(), {});
  });
});
