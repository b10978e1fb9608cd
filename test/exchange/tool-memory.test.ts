import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createToolMemory } from "../../lib/exchange/tool-memory.ts";
import type { KnownTool } from "../../lib/exchange/tool-memory.ts";

/** What is known of a tool after it was listed. */
function known(tool: object): KnownTool | undefined {
  const memory = createToolMemory();
  memory.learn({ tools: [{ name: "a", ...tool }] });
  return memory.find("a");
}

describe("a tool that was listed", () => {
  test("asks for headers by its input schema", () => {
    const inputSchema = {
      type: "object",
      properties: { r: { type: "string", "x-mcp-header": "R" }, q: { type: "string" } },
    };
    const headers = known({ inputSchema })?.headers.map(({ header, path }) => ({ header, path }));
    assert.deepEqual(headers, [{ header: "mcp-param-r", path: ["r"] }]);
  });

  const outputs: readonly (readonly [outputSchema: unknown, wrapped: boolean])[] = [
    [undefined, false],
    [{ type: "object" }, false],
    [{ type: "array" }, true],
    [{}, true],
    [{ anyOf: [{ type: "object" }] }, true],
    [null, false],
    [true, false],
  ];
  for (const [outputSchema, wrapped] of outputs) {
    test(`has another schema for legacy clients, or not: ${JSON.stringify(outputSchema)}`, () => {
      assert.equal(known({ outputSchema })?.wrapped, wrapped);
    });
  }

  const hints: readonly (readonly [annotations: unknown, repeatable: boolean])[] = [
    [{ readOnlyHint: true }, true],
    [{ idempotentHint: true }, true],
    [{ readOnlyHint: false, idempotentHint: true }, true],
    [{ readOnlyHint: true, destructiveHint: true }, true],
    [undefined, false],
    [{}, false],
    [{ readOnlyHint: false }, false],
    [{ readOnlyHint: "true", idempotentHint: 1 }, false],
    [{ destructiveHint: false }, false],
    [null, false],
    [["readOnlyHint"], false],
  ];
  for (const [annotations, repeatable] of hints) {
    test(`may be run again, or not: ${JSON.stringify(annotations)}`, () => {
      assert.equal(known({ annotations })?.repeatable, repeatable);
    });
  }

  test("that says nothing asks for nothing", () => {
    assert.deepEqual(known({}), { headers: [], wrapped: false, repeatable: false });
  });

  test("is known as it was listed last, on whatever page", () => {
    const memory = createToolMemory();
    memory.learn({
      tools: [{ name: "a" }, { name: "b", annotations: { readOnlyHint: true } }],
      nextCursor: "2",
    });
    memory.learn({ tools: [{ name: "a", annotations: { readOnlyHint: true } }] });
    assert.deepEqual([memory.find("a")?.repeatable, memory.find("b")?.repeatable], [true, true]);
    memory.learn({ tools: [{ name: "a" }] });
    assert.equal(memory.find("a")?.repeatable, false);
  });
});

test("a tool that was not listed is not known", () => {
  const memory = createToolMemory();
  memory.learn({ tools: [{ name: "a" }] });
  for (const name of ["b", "", undefined, null, 7, "constructor", "__proto__"]) {
    assert.equal(memory.find(name), undefined, String(name));
  }
});

test("what is no list of tools is read as none", () => {
  const memory = createToolMemory();
  const results = [
    undefined,
    null,
    [],
    "tools",
    {},
    { tools: null },
    { tools: { name: "a" } },
    { tools: [null, 7, "a", ["a"]] },
  ];
  for (const result of results) memory.learn(result);
  assert.equal(memory.find("a"), undefined);
});

test("a server has a limit to the tools that it can make us remember, and those stay up to date", () => {
  const memory = createToolMemory();
  memory.learn({ tools: Array.from({ length: 10_001 }, (_, at) => ({ name: `t${at}` })) });
  assert.notEqual(memory.find("t9999"), undefined);
  assert.equal(memory.find("t10000"), undefined);
  memory.learn({ tools: [{ name: "t0", annotations: { readOnlyHint: true } }, { name: "new" }] });
  assert.equal(memory.find("t0")?.repeatable, true);
  assert.equal(memory.find("new"), undefined);
});
