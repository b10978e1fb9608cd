import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ConfigurationError } from "../../lib/configuration/error.ts";
import { parseJsonc } from "../../lib/configuration/jsonc.ts";

describe("JSON with comments", () => {
  const rows: readonly (readonly [text: string, value: unknown])[] = [
    ['{"a":1}', { a: 1 }],
    ['\uFEFF{"a":1}', { a: 1 }],
    ['// first\n{"a":1} // last', { a: 1 }],
    ['{/* a\n * b\n */"a"/**/:1}', { a: 1 }],
    ['{"a":[1,2,],}', { a: [1, 2] }],
    ['{"a":1, // the comma stays\n}', { a: 1 }],
    ['{"a":[1 /* , */ , /* ] */ ]}', { a: [1] }],
    ['{"url":"https://example.com/*x*/","b":",]"}', { url: "https://example.com/*x*/", b: ",]" }],
    ['{"a":"\\"// no comment","b":"\\\\"}', { a: '"// no comment', b: "\\" }],
    ['{"a":"/*", "b":"*/"}', { a: "/*", b: "*/" }],
  ];
  for (const [text, value] of rows) {
    test(`is read: ${JSON.stringify(text)}`, () => assert.deepEqual(parseJsonc(text, "f"), value));
  }

  for (const text of ["", "{", "{,}x", "[1,,]", "/* open", '{"a":1}}', "{a:1}", "'a'"]) {
    test(`is refused with the file: ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseJsonc(text, "mcp.json"),
        (error) =>
          error instanceof ConfigurationError &&
          /^mcp\.json(?::\d+:\d+)?: not valid JSON$/.test(error.message) &&
          error.cause instanceof SyntaxError,
      );
    });
  }

  test("is refused with line and column, counted as in the file", () => {
    const text = '{\n  // a comment of some length\n  "a": 1,\n  /* two */ b: 2\n}';
    assert.throws(
      () => parseJsonc(text, "mcp.json"),
      new ConfigurationError("mcp.json:4:13: not valid JSON"),
    );
  });
});

describe("a member that stands twice is refused with its place:", () => {
  const rows: readonly (readonly [text: string, message: string])[] = [
    ['{"a":1,"a":2}', "f:1:8: a: stands twice"],
    ['{"a":1,\n  // again\n  "\\u0061":1}', "f:3:3: a: stands twice"],
    ['{"a":{"b":{"c":1,"d":{},"c":[]}}}', "f:1:25: a.b.c: stands twice"],
    ['[1,[{"x":1},{"a":1,"a":1}]]', "f:1:20: [1][1].a: stands twice"],
    ['{"":1, "" :1}', "f:1:8: : stands twice"],
    ['{"__proto__":1,"__proto__":1}', "f:1:16: __proto__: stands twice"],
  ];
  for (const [text, message] of rows) {
    test(text, () => assert.throws(() => parseJsonc(text, "f"), new ConfigurationError(message)));
  }

  const once = [
    '{"a":{"a":1},"b":{"a":"a"}}',
    '[{"a":1},{"a":1}]',
    '{"a":["a","a"],"b":"a"}',
    '{"a":"\\"b\\":1,","b":"{\\"b\\":1"}',
    '{"a":1, // "a":\n "A":1}',
  ];
  for (const text of once) test(`not in ${text}`, () => assert.doesNotThrow(() => parseJsonc(text, "f")));
});
