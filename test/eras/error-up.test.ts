import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { errorCode, modernStatus, toLegacyError, toModernError } from "../../lib/eras/error-up.ts";
import { always, objectsWith, textAt, untouched, values } from "../support/texts.ts";

const CODES = [
  -32700, -32600, -32601, -32602, -32603, -32000, -32001, -32002, -32020, -32021, -32022, -32042, -32800, 0,
  1,
].map(String);

const errors = objectsWith({
  code: fc.constantFrom(...CODES, "-32002.0", "-3.2021e4"),
  message: values,
  data: values,
});

describe("a code of a legacy server", () => {
  const rows: readonly (readonly [what: string, code: string, after: string])[] = [
    [
      "for a resource that is not there is about parameters (2026-07-28/basic, Error Codes)",
      "-32002",
      "-32602",
    ],
    ["for the same, written otherwise, too", "-32002.0", "-32602"],
    ["that means headers today is an internal error", "-32020", "-32603"],
    ["that means capabilities today is an internal error", "-32021", "-32603"],
    ["that means versions today is an internal error", "-32022", "-32603"],
    ["for an unknown method stays", "-32601", "-32601"],
    ["of its own stays", "42", "42"],
    ["below the range stays", "-32019", "-32019"],
  ];
  for (const [what, code, after] of rows) {
    test(what, () => {
      const error = (text: string): string => `{ "data":{"code":-32002} , "code" : ${text}, "message":"a" }`;
      assert.equal(toModernError(error(code)), error(after));
    });
  }
});

describe("a code of a modern server", () => {
  for (const code of ["-32020", "-32021", "-32022"]) {
    test(`${code} is an internal error for a legacy client, with message and data`, () => {
      const data = '"data":{"supported":["2026-07-28"],"n":9007199254740993}';
      assert.equal(
        toLegacyError(`{"code":${code},"message":"b",${data}}`),
        `{"code":-32603,"message":"b",${data}}`,
      );
    });
  }

  for (const code of ["-32002", "-32601", "-32602", "-32042", "7"]) {
    test(`${code} stays`, () => {
      const error = `{"code":${code},"message":"b"}`;
      assert.equal(toLegacyError(error), error);
    });
  }
});

for (const translate of [toModernError, toLegacyError]) {
  describe(translate.name, () => {
    test("changes the code and nothing else, once", () => {
      always(errors, (text) => {
        const after = translate(text);
        assert.deepEqual(untouched(after, { code: null }), untouched(text, { code: null }));
        const before = Number(textAt(text, "code"));
        const isReserved = before <= -32_020 && before >= -32_099;
        if (before !== -32_002 && !isReserved) assert.equal(after, text);
        assert.equal(translate(after), after);
      });
    });

    test("takes any JSON value for an error", () => {
      always(values, (text) => void JSON.parse(translate(text)));
      for (const text of ['{"code":"-32002"}', '{"code":null}', '{"code":[-32020]}', "-32002", '"{}"']) {
        assert.equal(translate(text), text);
      }
    });
  });
}

test("the code of an error is a number, or none", () => {
  assert.equal(errorCode({ code: -32601 }), -32_601);
  for (const error of [undefined, null, [], "code", -1, {}, { code: "-1" }, { code: null }]) {
    assert.ok(Number.isNaN(errorCode(error)));
  }
});

test("a modern error has a status (2026-07-28/basic/transports/streamable-http)", () => {
  const rows: readonly (readonly [code: number, status: number])[] = [
    [-32_601, 404],
    [-32_020, 400],
    [-32_021, 400],
    [-32_022, 400],
    [-32_602, 200],
    [-32_603, 200],
    [-32_042, 200],
    [-32_019, 200],
    [-32_023, 200],
    [42, 200],
    [Number.NaN, 200],
  ];
  for (const [code, status] of rows) assert.equal(modernStatus(code, "tools/call"), status, String(code));
  const discovered = rows.map(([code]) => modernStatus(code, "server/discover"));
  assert.deepEqual(new Set(discovered), new Set([400, 500]), "a server without discovery is no legacy one");
});
