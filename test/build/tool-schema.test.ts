import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { gatewayTools } from "../../lib/build/tool-schema.ts";

function propertyOf(schema: object, more: object = {}): object | undefined {
  const inputSchema = { type: "object", properties: { it: schema }, ...more };
  return gatewayTools([{ name: "tool", inputSchema }])[0]?.inputSchema.properties?.["it"];
}

describe("a tool for AgentCore Gateway", () => {
  test("has a name, a description and what it takes, and nothing else", () => {
    const inputSchema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      ...{ type: "object", additionalProperties: false },
      properties: { path: { type: "string", minLength: 1, description: "Where." } },
      required: ["path"],
    };
    const tool = {
      name: "read",
      title: "Read",
      description: "Reads.",
      inputSchema,
      outputSchema: {},
      annotations: {},
    };
    assert.deepEqual(gatewayTools([tool]), [
      {
        ...{ name: "read", description: "Reads." },
        inputSchema: {
          type: "object",
          properties: { path: { type: "string", description: "Where." } },
          required: ["path"],
        },
      },
    ]);
  });

  test("without a description has its title or its name: the gateway wants one", () => {
    const tools = gatewayTools([{ name: "a", title: "The A" }, { name: "b" }]);
    assert.deepEqual(
      tools.map(({ description }) => description),
      ["The A", "b"],
    );
    assert.deepEqual(tools[1]?.inputSchema, { type: "object" });
  });

  const rows: readonly (readonly [what: string, schema: object, expected: object])[] = [
    ["a text or null", { type: ["null", "string"] }, { type: "string" }],
    [
      "a choice",
      { anyOf: [{ type: "null" }, { type: "integer" }], description: "N." },
      { type: "integer", description: "N." },
    ],
    ["an enumeration", { enum: ["a", "b"] }, { type: "string", description: 'One of: "a", "b".' }],
    ["a constant", { const: 3 }, { type: "number", description: "One of: 3." }],
    ["a default", { type: "number", default: 5 }, { type: "number", description: "Default: 5." }],
    [
      "a list",
      { type: "array", items: { type: "string", pattern: "x" } },
      { type: "array", items: { type: "string" } },
    ],
    ["a list of anything", { type: "array" }, { type: "array" }],
    ["anything", {}, { type: "string" }],
    [
      "an object that does not say so",
      { properties: { a: {} } },
      { type: "object", properties: { a: { type: "string" } } },
    ],
    [
      "what must be there, and is not",
      { type: "object", properties: {}, required: ["a"] },
      { type: "object", properties: {} },
    ],
  ];
  for (const [what, schema, expected] of rows) {
    test(`takes ${what}`, () => assert.deepEqual(propertyOf(schema), expected));
  }

  test("takes what a reference leads to", () => {
    const $defs = { "a/b": { type: "boolean" } };
    assert.deepEqual(propertyOf({ $ref: "#/$defs/a~1b", description: "B." }, { $defs }), {
      type: "boolean",
      description: "B.",
    });
  });

  test("whose schema names itself ends", () => {
    const $defs = {
      node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } },
      loop: { $ref: "#/$defs/loop" },
    };
    assert.ok(JSON.stringify(propertyOf({ $ref: "#/$defs/node" }, { $defs })).length < 2000);
    assert.deepEqual(propertyOf({ $ref: "#/$defs/loop" }, { $defs }), { type: "string" });
  });
});
