import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Ajv } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";

import { needsWrapping, wrapSchema } from "../../lib/eras/output-schema.ts";
import { effortOf } from "../support/effort.ts";
import { always, listsOf, objects, objectsWith, textAt, values } from "../support/texts.ts";

/** The schema of `result` within the wrapped schema. */
function inner(wrapped: string): string {
  return textAt(textAt(wrapped, "properties") ?? "{}", "result") ?? "";
}

test("a schema is wrapped unless its root says that it is an object (2025-11-25/server/tools, Output Schema)", () => {
  for (const schema of [
    {},
    { type: "array" },
    { type: ["object"] },
    { type: ["object", "null"] },
    { anyOf: [{ type: "object" }] },
    { $ref: "#/$defs/a", $defs: { a: { type: "object" } } },
  ]) {
    assert.equal(needsWrapping(schema), true, JSON.stringify(schema));
  }
  for (const schema of [{ type: "object" }, undefined, null, true, "object", ["object"], 1]) {
    assert.equal(needsWrapping(schema), false, JSON.stringify(schema));
  }
});

describe("a wrapped schema", () => {
  const rows: readonly (readonly [what: string, schema: string, result: string])[] = [
    [
      "holds the schema as it is written",
      '{ "type":"array", "a": [1, 2] }',
      '{ "type":"array", "a": [1, 2] }',
    ],
    [
      "keeps limits of 64 bits",
      '{"maximum":9223372036854775807,"minimum":-9223372036854775808}',
      '{"maximum":9223372036854775807,"minimum":-9223372036854775808}',
    ],
    [
      "moves references to the root",
      '{"items":{ "$ref" : "#" }}',
      '{"items":{ "$ref" : "#/properties/result" }}',
    ],
    [
      "moves references from the root",
      '{"$ref":"#/$defs/a~1b%25"}',
      '{"$ref":"#/properties/result/$defs/a~1b%25"}',
    ],
    [
      "moves references that are written with escapes",
      '{"\\u0024ref":"\\u0023/a"}',
      '{"\\u0024ref":"#/properties/result/a"}',
    ],
    [
      "moves dynamic references that are pointers",
      '{"$dynamicRef":"#/a"}',
      '{"$dynamicRef":"#/properties/result/a"}',
    ],
    [
      "moves references in lists",
      '{"oneOf":[{"$ref":"#/a"},{"not":{"$ref":"#"}}]}',
      '{"oneOf":[{"$ref":"#/properties/result/a"},{"not":{"$ref":"#/properties/result"}}]}',
    ],
    [
      "leaves references by name",
      '{"$ref":"#a","$anchor":"a","$dynamicRef":"#b"}',
      '{"$ref":"#a","$anchor":"a","$dynamicRef":"#b"}',
    ],
    [
      "leaves references to elsewhere",
      '{"$ref":"https://a.example/b#/c"}',
      '{"$ref":"https://a.example/b#/c"}',
    ],
    [
      "leaves references of schemas with an id",
      '{"$id":"https://a.example/b","$ref":"#/c"}',
      '{"$id":"https://a.example/b","$ref":"#/c"}',
    ],
    [
      "leaves references within a part with an id",
      '{"$ref":"#/a","a":{"$id":"b","$ref":"#/c"}}',
      '{"$ref":"#/properties/result/a","a":{"$id":"b","$ref":"#/c"}}',
    ],
    ...["const", "default"].map((key): [string, string, string] => [
      `leaves data in ${key}`,
      `{"${key}":{"$ref":"#/a"}}`,
      `{"${key}":{"$ref":"#/a"}}`,
    ]),
    ...["enum", "examples"].map((key): [string, string, string] => [
      `leaves data in ${key}`,
      `{"${key}":[{"$ref":"#"}]}`,
      `{"${key}":[{"$ref":"#"}]}`,
    ]),
    ["leaves what is no reference", '{"$ref":7,"a":{"$ref":{"b":"#"}}}', '{"$ref":7,"a":{"$ref":{"b":"#"}}}'],
  ];
  for (const [what, schema, result] of rows) {
    test(what, () => {
      const wrapped = wrapSchema(schema);
      assert.equal(wrapped, `{"type":"object","properties":{"result":${result}},"required":["result"]}`);
    });
  }

  test("has the dialect at its root", () => {
    const dialect = '"$schema":"https://json-schema.org/draft/2020-12/schema"';
    assert.equal(
      wrapSchema(`{"type":"array",${dialect},"a":1.0}`),
      `{${dialect},"type":"object","properties":{"result":{"type":"array","a":1.0}},"required":["result"]}`,
    );
  });

  test("is JSON for any object, which needs no wrapping again", () => {
    always(objects, (text) => assert.equal(needsWrapping(JSON.parse(wrapSchema(text))), false));
  });

  test("is the schema byte for byte, but for the references", () => {
    const reference = fc.constantFrom('"#"', '"#/a"', '"#a"', '"https://a.example/#/b"', "7", '["#/a"]');
    const part = objectsWith({ $ref: reference, $dynamicRef: reference, $id: values, const: reference });
    const parts = fc.array(part, { maxLength: 3 }).map((all) => `[${all.join(",")}]`);
    const schemas = objectsWith({ $ref: reference, items: part, anyOf: parts, enum: listsOf(part) });
    always(schemas, (text) => {
      assert.equal(inner(wrapSchema(text)).replaceAll("#/properties/result", "#"), text);
    });
  });

  test("is made in no time of a schema with thousands of references", async () => {
    const properties = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, at) => [`p${at}`, { $ref: "#/$defs/n" }]),
    );
    const tookMs = await effortOf(() => wrapSchema(JSON.stringify({ properties })));
    assert.ok(tookMs < 3000, `${tookMs} milliseconds`);
  });

  test("is made of a schema that is nested as deep as JSON may be", () => {
    const depth = 20_000;
    const schema = `${'{"not":'.repeat(depth)}{"$ref":"#"}${"}".repeat(depth)}`;
    assert.equal(inner(wrapSchema(schema)), schema);
  });
});

describe("a value is valid under a schema as it is valid, as the result, under the wrapped one", () => {
  interface Row {
    readonly what: string;
    readonly schema: Readonly<Record<string, unknown>>;
    readonly good: readonly unknown[];
    readonly bad: readonly unknown[];
  }
  const numbers = { $defs: { n: { type: "number" } } };
  const rows: readonly Row[] = [
    {
      what: "a list",
      schema: { type: "array", items: { type: "number" } },
      good: [[], [1]],
      bad: [["a"], 1, {}],
    },
    { what: "anything", schema: {}, good: [1, null, {}, []], bad: [] },
    {
      what: "a choice of objects",
      schema: { anyOf: [{ required: ["a"] }, { type: "null" }] },
      good: [{ a: 1 }, null],
      bad: [{}],
    },
    { what: "a definition", schema: { ...numbers, items: { $ref: "#/$defs/n" } }, good: [[1]], bad: [["a"]] },
    { what: "a tree", schema: { type: "array", items: { $ref: "#" } }, good: [[[], [[]]]], bad: [[[1]], {}] },
    {
      what: "a reference by name",
      schema: { $defs: { x: { $anchor: "n", type: "number" } }, items: { $ref: "#n" } },
      good: [[1]],
      bad: [["a"]],
    },
    {
      what: "a reference to a neighbour",
      schema: { prefixItems: [{ type: "number" }, { $ref: "#/prefixItems/0" }] },
      good: [[1, 2]],
      bad: [[1, "a"]],
    },
    {
      what: "a schema with an id",
      schema: { $id: "https://a.example/s", ...numbers, items: { $ref: "#/$defs/n" } },
      good: [[1]],
      bad: [["a"]],
    },
    {
      what: "a part with an id",
      schema: {
        $defs: {
          n: { type: "string" },
          part: { $id: "https://a.example/p", ...numbers, items: { $ref: "#/$defs/n" } },
        },
        prefixItems: [{ $ref: "#/$defs/n" }, { $ref: "https://a.example/p" }],
      },
      good: [["a", [1]]],
      bad: [[1], ["a", ["a"]]],
    },
    {
      what: "a dynamic tree",
      schema: { $dynamicAnchor: "t", type: "array", items: { $dynamicRef: "#t" } },
      good: [[[]]],
      bad: [[1]],
    },
    {
      what: "data that looks like a reference",
      schema: { const: { $ref: "#/a" } },
      good: [{ $ref: "#/a" }],
      bad: [{ $ref: "#/properties/result/a" }],
    },
    {
      what: "a choice of data",
      schema: { enum: [{ $ref: "#" }, 1] },
      good: [{ $ref: "#" }, 1],
      bad: [{ $ref: "#/properties/result" }],
    },
    {
      what: "a dialect of its own",
      schema: { $schema: "https://json-schema.org/draft/2020-12/schema", prefixItems: [{ const: 1 }] },
      good: [[1]],
      bad: [[2]],
    },
    // A property may have any name, also that of a keyword. Source: JSON Schema 2020-12 (Core), 10.3.2.1.
    ...["const", "enum", "default", "examples", "$ref", "$dynamicRef", "$id"].map((name) => ({
      what: `a property with the name ${name}`,
      schema: { ...numbers, items: { type: "object", properties: { [name]: { $ref: "#/$defs/n" } } } },
      good: [[{ [name]: 1 }]],
      bad: [[{ [name]: "a" }]],
    })),
    ...["$defs", "definitions"].map((place) => ({
      what: `a definition with the name default in ${place}`,
      schema: {
        [place]: { n: { type: "number" }, default: { $ref: `#/${place}/n` } },
        items: { $ref: `#/${place}/default` },
      },
      good: [[1]],
      bad: [["a"]],
    })),
    ...["patternProperties", "dependentSchemas"].map((place) => ({
      what: `the name default in ${place}`,
      schema: {
        $defs: { one: { minProperties: 2, minimum: 2 } },
        [place]: { default: { $ref: "#/$defs/one" } },
      },
      good: [{ default: 2, other: 1 }, { other: 1 }],
      bad: [{ default: 1 }],
    })),
    // The same document. Source: RFC 3986, 4.4.
    { what: "an empty reference", schema: { type: "array", items: { $ref: "" } }, good: [[[]]], bad: [[1]] },
    // An id with an empty fragment may be there. Source: JSON Schema 2020-12 (Core), 8.2.1.
    {
      what: "an id that names nothing",
      schema: { $id: "#", ...numbers, items: { $ref: "#/$defs/n" } },
      good: [[1]],
      bad: [["a"]],
    },
  ];
  for (const { what, schema, good, bad } of rows) {
    test(what, () => {
      const plain = new Ajv2020({ strict: false }).compile(schema);
      const wrapped = new Ajv2020({ strict: false }).compile(JSON.parse(wrapSchema(JSON.stringify(schema))));
      for (const [values, isValid] of [
        [good, true],
        [bad, false],
      ] as const) {
        for (const value of values) {
          assert.equal(plain(value), isValid, JSON.stringify(value));
          assert.equal(wrapped({ result: value }), isValid, JSON.stringify(value));
        }
      }
      assert.equal(wrapped({}), false);
    });
  }

  test("a schema of draft 7", () => {
    const schema = {
      $schema: "http://json-schema.org/draft-07/schema#",
      definitions: { n: { type: "number" } },
      items: { $ref: "#/definitions/n" },
    };
    const wrapped = new Ajv({ strict: false }).compile(JSON.parse(wrapSchema(JSON.stringify(schema))));
    assert.deepEqual(
      [[1], ["a"]].map((value) => wrapped({ result: value })),
      [true, false],
    );
  });

  test("a schema of draft 7 with an id that is a name", () => {
    // Such an id is no base for references. Source: JSON Schema draft 7 (Core), 8.2.3.
    const schema = {
      $schema: "http://json-schema.org/draft-07/schema#",
      definitions: { n: { type: "number" }, list: { $id: "#list", items: { $ref: "#/definitions/n" } } },
      items: { $ref: "#list" },
    };
    const wrapped = new Ajv({ strict: false }).compile(JSON.parse(wrapSchema(JSON.stringify(schema))));
    assert.deepEqual(
      [[[1]], [["a"]]].map((value) => wrapped({ result: value })),
      [true, false],
    );
  });

  test("a recursive schema of 2019-09", () => {
    for (const anchor of [{}, { $recursiveAnchor: true }]) {
      const $schema = "https://json-schema.org/draft/2019-09/schema";
      const schema = { $schema, ...anchor, type: "array", items: { $recursiveRef: "#" } };
      const wrapped = new Ajv2019({ strict: false }).compile(JSON.parse(wrapSchema(JSON.stringify(schema))));
      assert.deepEqual(
        [[[[]]], [1]].map((value) => wrapped({ result: value })),
        [true, false],
      );
    }
  });

  test("a schema of draft 7 with dependencies that have the names of keywords", () => {
    const schema = {
      $schema: "http://json-schema.org/draft-07/schema#",
      definitions: { b: { required: ["b"] } },
      dependencies: { default: { $ref: "#/definitions/b" } },
    };
    const wrapped = new Ajv({ strict: false }).compile(JSON.parse(wrapSchema(JSON.stringify(schema))));
    assert.deepEqual(
      [{}, { default: 1, b: 1 }, { default: 1 }].map((value) => wrapped({ result: value })),
      [true, true, false],
    );
  });
});
