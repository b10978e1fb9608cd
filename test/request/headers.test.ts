import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { MayflyError } from "../../lib/errors.ts";
import {
  checkParameterHeaders,
  hasParameterHeaders,
  headerParameters,
} from "../../lib/request/header-parameters.ts";
import { headerValue, nameOf, versionOf } from "../../lib/request/headers.ts";
import { effortOf } from "../support/effort.ts";
import { always } from "../support/texts.ts";

type Values = Readonly<Record<string, string>>;

function mismatch(run: () => unknown, detail: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof MayflyError, String(error));
    assert.deepEqual([error.code, error.status, error.rpcCode], ["HEADER_MISMATCH", 400, -32_020]);
    assert.match(error.message, detail);
    return true;
  });
}

function encoded(text: string | Buffer): string {
  return `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

describe("the version of a request", () => {
  const rows: readonly (readonly [values: readonly string[], version: string | undefined])[] = [
    [[], undefined],
    [["2026-07-28"], "2026-07-28"],
    [["2026-07-28", "2026-07-28"], "2026-07-28"],
    [[" 2026-07-28 ,\t2026-07-28"], "2026-07-28"],
    [["2026-07-28", "2025-11-25"], "2026-07-28,2025-11-25"],
    [["2026-07-28,"], "2026-07-28,"],
    [[""], ""],
  ];
  for (const [values, version] of rows) {
    test(`is ${version} for ${JSON.stringify(values)}`, () => {
      const headers = new Headers();
      for (const value of values) headers.append("MCP-Protocol-Version", value);
      assert.equal(versionOf(headers), version);
    });
  }
});

describe("the name that Mcp-Name repeats", () => {
  const params = { name: "n", uri: "u", taskId: "t" };
  const rows: readonly (readonly [method: string, name: string | undefined])[] = [
    ["tools/call", "n"],
    ["prompts/get", "n"],
    ["resources/read", "u"],
    ["tasks/get", "t"],
    ["tasks/update", "t"],
    ["tasks/cancel", "t"],
    ["tools/list", undefined],
    ["tasks/list", undefined],
    ["constructor", undefined],
    ["__proto__", undefined],
  ];
  for (const [method, name] of rows) {
    test(`of ${method} is ${name}`, () => assert.equal(nameOf(method, params), name));
  }

  test("is a string", () => {
    for (const name of [null, 7, ["n"], {}]) {
      assert.throws(() => nameOf("tools/call", { name }), /Mcp-Name cannot repeat params\.name/);
    }
    assert.equal(nameOf("tools/call"), undefined);
    assert.equal(nameOf("constructor", { [String(Object)]: "not of every object" }), undefined);
    assert.equal(nameOf("tools/call", { name: "" }), "");
  });
});

describe("the value of a header", () => {
  /** Source: 2026-07-28/basic/transports/streamable-http, Value Encoding, Encoding examples. */
  const examples: readonly (readonly [header: string, value: string])[] = [
    ["us-west1", "us-west1"],
    ["=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"],
    ["=?base64?IHBhZGRlZCA=?=", " padded "],
    ["=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"],
    ["=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="],
  ];
  const plain: readonly (readonly [header: string, value: string])[] = [
    ["", ""],
    [" \ta b\t ", "a b"],
    ["a\tb", "a\tb"],
    ["=?base64??=", ""],
    ["=?BASE64?YQ==?=", "=?BASE64?YQ==?="],
    ["=?base64?YQ==", "=?base64?YQ=="],
    ["=?base64?YQ==?= x", "=?base64?YQ==?= x"],
    ["x=?base64?YQ==?=", "x=?base64?YQ==?="],
    ["=?base64?77u/YQ==?=", "\uFEFFa"],
    ["=?base64?AA==?=", "\0"],
  ];
  for (const [header, value] of [...examples, ...plain]) {
    test(`${JSON.stringify(header)} is ${JSON.stringify(value)}`, () => {
      assert.equal(headerValue(new Headers({ "Mcp-Name": header }), "mcp-name"), value);
    });
  }

  test("is any text, encoded", () => {
    const check = (text: string): void => {
      assert.equal(headerValue(new Headers({ a: encoded(text) }), "a"), Buffer.from(text).toString());
    };
    always(fc.string({ unit: "binary" }), check);
  });

  test("is absent where the header is", () => assert.equal(headerValue(new Headers(), "a"), undefined));

  const invalid: readonly (readonly [what: string, header: string])[] = [
    ["base64 without its end", "=?base64?SGVsbG8?="],
    ["base64 with a length that cannot be", "=?base64?SGVsb?="],
    ["base64 with other characters", "=?base64?SGVs!G8=?="],
    ["base64 with space", "=?base64?SGVs bG8=?="],
    ["base64 of URLs", "=?base64?_-_-?="],
    ["base64 with its end in the middle", "=?base64?YQ==YQ==?="],
    ["base64 of what is not UTF-8", encoded(Buffer.from([0xff, 0xfe]))],
    ["base64 of half a character", encoded(Buffer.from("é").subarray(0, 1))],
    ["letters beyond ASCII", "caf\u00E9"],
    ["bytes of UTF-8", Buffer.from("世").toString("latin1")],
    ["a control character", "a\u0001b"],
    ["the delete character", "a\u007F"],
    ["a space that is none of HTTP, at the end", "a\u00A0"],
    ["a space that is none of HTTP, at the beginning", "\u00A0a"],
    ["a vertical tab at the end", "a\u000B"],
    ["a form feed at the end", "a\u000C"],
  ];
  for (const [what, header] of invalid) {
    test(`may not have ${what}`, () => {
      mismatch(() => headerValue(new Headers({ "Mcp-Name": header }), "Mcp-Name"), /Mcp-Name has characters/);
    });
  }
});

describe("the headers that a tool asks for", () => {
  const text = { type: "string", "x-mcp-header": "Region" };
  const region = { header: "mcp-param-region", path: ["region"] };

  function found(properties: object, more: object = {}): unknown {
    const all = headerParameters({ type: "object", properties, ...more });
    return all.map(({ header, path }) => ({ header, path }));
  }

  test("are those of annotated arguments", () => {
    const properties = {
      region: text,
      count: { type: "integer", "x-mcp-header": "COUNT" },
      dry: { type: "boolean", "x-mcp-header": "dry!#$%&'*+.^_`|~-run" },
      query: { type: "string" },
    };
    assert.deepEqual(found(properties), [
      region,
      { header: "mcp-param-count", path: ["count"] },
      { header: "mcp-param-dry!#$%&'*+.^_`|~-run", path: ["dry"] },
    ]);
  });

  test("are those of arguments within arguments", () => {
    const inner = {
      type: "object",
      properties: { properties: { type: "object", properties: { "": text } } },
    };
    assert.deepEqual(found({ a: inner }), [{ header: "mcp-param-region", path: ["a", "properties", ""] }]);
  });

  test("are not an argument that has the name of the annotation", () => {
    assert.deepEqual(found({ "x-mcp-header": { type: "string" }, region: text }), [region]);
  });

  test("are nothing else that has the name of the annotation, or holds data", () => {
    const data = { "x-mcp-header": 7 };
    const named = { "x-mcp-header": { type: "string" } };
    for (const more of [
      { default: data, const: data, enum: [data], examples: [data] },
      { $defs: named, definitions: named, patternProperties: named, dependentSchemas: named },
      { dependentRequired: { "x-mcp-header": ["region"] } },
    ]) {
      assert.deepEqual(found({ region: { ...text, default: data } }, more), [region]);
    }
  });

  test("are none for what is no schema", () => {
    for (const schema of [undefined, null, true, "x", [], {}, { properties: null }, { properties: [text] }]) {
      assert.deepEqual(headerParameters(schema), []);
    }
    assert.deepEqual(found({ a: null, b: true, c: [text], d: "x" }), []);
  });

  const broken: readonly (readonly [what: string, properties: object, more?: object])[] = [
    ["an empty name", { a: { type: "string", "x-mcp-header": "" } }],
    ["a name with space", { a: { type: "string", "x-mcp-header": "My Region" } }],
    ["a name with a colon", { a: { type: "string", "x-mcp-header": "a:b" } }],
    ["a name with a line break", { a: { type: "string", "x-mcp-header": "a\r\nb" } }],
    ["a name with a line break at its end", { a: { type: "string", "x-mcp-header": "a\n" } }],
    ["a name beyond ASCII", { a: { type: "string", "x-mcp-header": "ré" } }],
    ["a name that is no string", { a: { type: "string", "x-mcp-header": 7 } }],
    ["a name that is null", { a: { type: "string", "x-mcp-header": null } }],
    ["the type number", { a: { type: "number", "x-mcp-header": "a" } }],
    ["the type object", { a: { type: "object", "x-mcp-header": "a" } }],
    ["the type array", { a: { type: "array", "x-mcp-header": "a" } }],
    ["the type null", { a: { type: "null", "x-mcp-header": "a" } }],
    ["no type", { a: { "x-mcp-header": "a" } }],
    ["several types", { a: { type: ["string", "number"], "x-mcp-header": "a" } }],
    ["the same name twice", { a: text, b: { ...text, type: "integer" } }],
    [
      "the same name in other letters",
      { a: text, b: { type: "object", properties: { c: { ...text, "x-mcp-header": "REGION" } } } },
    ],
    // Anywhere but at the end of a chain of `properties` the annotation makes the definition invalid: Schema Extension.
    ["an annotated element", { a: { type: "array", items: text } }],
    ["an annotated choice", { a: { oneOf: [text] } }],
    ["an argument of a choice", {}, { anyOf: [{ properties: { a: text } }] }],
    ["an argument of all parts", {}, { allOf: [{ properties: { a: text } }] }],
    ["an argument of a condition", {}, { if: {}, else: { properties: { a: text } } }],
    ["an argument that may not be", {}, { not: { properties: { a: text } } }],
    ["an annotated definition", { a: { $ref: "#/$defs/r" } }, { $defs: { r: text } }],
    ["other arguments annotated", {}, { additionalProperties: text }],
    ["an annotated root", {}, { type: "string", "x-mcp-header": "Root" }],
  ];
  for (const [what, properties, more] of broken) {
    test(`are none for a schema with ${what}, also for arguments that keep the rules`, () => {
      assert.deepEqual(found(properties, more), []);
      assert.deepEqual(found({ good: { type: "string", "x-mcp-header": "Good" }, ...properties }, more), []);
    });
  }

  test("are found in a schema that is nested as deep as JSON may be, in time", async () => {
    const depth = 50_000;
    const text = `${'{"properties":{"a":'.repeat(depth)}{}${"}}".repeat(depth)}`;
    const schema: unknown = JSON.parse(text);
    const tookMs = await effortOf(() => assert.deepEqual(headerParameters(schema), []));
    assert.ok(tookMs < 3000, `${tookMs} milliseconds`);
  });

  test("are found in a schema of any width", () => {
    const names = Array.from({ length: 200_000 }, (_, at) => `p${at}`);
    const properties = Object.fromEntries(names.map((name) => [name, {}]));
    assert.deepEqual(found({ ...properties, region: text }, { required: names }), [region]);
  });
});

test("a request may have headers that only a schema explains", () => {
  const rows: readonly (readonly [headers: Values, has: boolean])[] = [
    [{}, false],
    [{ "Mcp-Name": "a", "Mcp-Method": "b", "x-mcp-param-a": "c" }, false],
    [{ "MCP-PARAM-A": "" }, true],
  ];
  for (const [headers, has] of rows) assert.equal(hasParameterHeaders(new Headers(headers)), has);
});

describe("a header that repeats an argument", () => {
  const parameters = [
    { header: "mcp-param-a", path: ["a"] },
    { header: "mcp-param-in", path: ["o", "in"] },
  ];

  function check(headers: Values, args: unknown): void {
    checkParameterHeaders(new Headers(headers), parameters, args);
  }

  const good: readonly (readonly [what: string, headers: Values, args: unknown])[] = [
    ["a text", { "Mcp-Param-A": "x y" }, { a: "x y" }],
    ["an encoded text", { "mcp-param-a": encoded(" é\n") }, { a: " é\n" }],
    ["an empty text", { "mcp-param-a": "" }, { a: "" }],
    ["a number", { "mcp-param-a": "42" }, { a: 42 }],
    ["a number that is written otherwise (Server Validation)", { "mcp-param-a": "42.0" }, { a: 42 }],
    ["a number with an exponent", { "mcp-param-a": "-4.2e1" }, { a: -42 }],
    ["the largest safe number", { "mcp-param-a": "9007199254740991" }, { a: 9_007_199_254_740_991 }],
    ["true", { "mcp-param-a": "true" }, { a: true }],
    ["false", { "mcp-param-a": "false" }, { a: false }],
    ["an argument within an argument", { "mcp-param-in": "x" }, { o: { in: "x" } }],
    ["null by its absence", {}, { a: null, o: { in: null } }],
    ["no argument by its absence", {}, {}],
    ["no arguments by its absence", {}, undefined],
    ["nothing within what is no object", {}, { o: "in" }],
    ["nothing within a list", {}, { o: ["in"] }],
    ["nothing that it knows", { "mcp-param-other": "x" }, {}],
  ];
  for (const [what, headers, args] of good) {
    test(`repeats ${what}`, () => check(headers, args));
  }

  const bad: readonly (readonly [what: string, headers: Values, args: unknown, detail: RegExp])[] = [
    ["another text", { "mcp-param-a": "X" }, { a: "x" }, /mcp-param-a does not match the argument a$/],
    [
      "another text within",
      { "mcp-param-in": "X" },
      { o: { in: "x" } },
      /does not match the argument o\.in$/,
    ],
    ["another encoded text", { "mcp-param-a": encoded("y") }, { a: "x" }, /does not match/],
    ["the encoding of a text", { "mcp-param-a": encoded("x") }, { a: encoded("x") }, /does not match/],
    ["the value twice", { "mcp-param-a": "x, x" }, { a: "x" }, /does not match/],
    ["another number", { "mcp-param-a": "43" }, { a: 42 }, /does not match/],
    ["a number near by", { "mcp-param-a": "42.5" }, { a: 42 }, /does not match/],
    [
      "a number that is safe no more",
      { "mcp-param-a": "9007199254740993" },
      { a: 9_007_199_254_740_992 },
      /does not match/,
    ],
    ["a number in hexadecimal", { "mcp-param-a": "0x2a" }, { a: 42 }, /does not match/],
    ["nothing for zero", { "mcp-param-a": "" }, { a: 0 }, /does not match/],
    ["a number where a text is", { "mcp-param-a": "42.0" }, { a: "42" }, /does not match/],
    ["another case of true", { "mcp-param-a": "True" }, { a: true }, /does not match/],
    ["1 for true", { "mcp-param-a": "1" }, { a: true }, /does not match/],
    ["null", { "mcp-param-a": "null" }, { a: null }, /mcp-param-a repeats no argument$/],
    ["what is no argument", { "mcp-param-a": "x" }, {}, /repeats no argument/],
    ["what every object has", { "mcp-param-a": "x" }, Object.create({ a: "x" }), /repeats no argument/],
    ["no argument", { "mcp-param-a": "" }, undefined, /repeats no argument/],
    ["not what it must", {}, { a: "x" }, /mcp-param-a is missing$/],
    ["not false", {}, { a: false }, /is missing/],
    ["invalid characters", { "mcp-param-a": "é" }, { a: "é" }, /mcp-param-a has characters/],
    ["invalid base64", { "mcp-param-a": "=?base64?x?=" }, {}, /mcp-param-a has characters/],
  ];
  for (const [what, headers, args, detail] of bad) {
    test(`is refused when it repeats ${what}`, () => mismatch(() => check(headers, args), detail));
  }

  test("is refused for an argument that is nested as deep as JSON may be", () => {
    const args: unknown = JSON.parse(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`);
    mismatch(() => check({ "mcp-param-a": "x" }, args), /does not match/);
  });

  test("repeats any text and any integer, and is refused for another one", () => {
    const run = ([text, number]: [string, number]): void => {
      check({ "mcp-param-a": encoded(text), "mcp-param-in": String(number) }, { a: text, o: { in: number } });
      mismatch(() => check({ "mcp-param-a": encoded(`${text}x`) }, { a: text }), /does not match/);
      mismatch(() => check({ "mcp-param-a": String(number + 1) }, { a: number }), /does not match/);
    };
    const integers = fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 2 });
    const texts = fc.string({ unit: "grapheme" });
    always(fc.tuple(texts, integers), run);
  });
});
