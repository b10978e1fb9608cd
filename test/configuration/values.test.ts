import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ConfigurationError } from "../../lib/configuration/error.ts";
import { list, toLogLevel, truth, wholeNumber } from "../../lib/configuration/values.ts";

describe("list", () => {
  const rows: readonly (readonly [text: string | undefined, entries: readonly string[]])[] = [
    [undefined, []],
    ["", []],
    [" , ,", []],
    ["a", ["a"]],
    [" a , b b,,c ", ["a", "b b", "c"]],
  ];
  for (const [text, entries] of rows) {
    test(`of ${JSON.stringify(text)}`, () => assert.deepEqual(list(text), entries));
  }
});

describe("wholeNumber", () => {
  test("reads decimal digits from the smallest number up", () => {
    assert.deepEqual(
      [wholeNumber("1", "n"), wholeNumber("0065536", "n"), wholeNumber("0", "n", 0)],
      [1, 65536, 0],
    );
  });

  for (const text of [
    "",
    "0",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "0x10",
    " 1",
    "1 ",
    "ten",
    "NaN",
    "9007199254740993",
  ]) {
    test(`refuses ${JSON.stringify(text)} and says what it is for`, () => {
      const message = `--port: expected a whole number of at least 1, found "${text}"`;
      assert.throws(() => wholeNumber(text, "--port"), new ConfigurationError(message));
    });
  }
});

describe("truth", () => {
  const rows: readonly (readonly [text: string | undefined, value: boolean])[] = [
    [undefined, false],
    ["", false],
    ["false", false],
    ["true", true],
  ];
  for (const [text, value] of rows) {
    test(`of ${JSON.stringify(text)} is ${value}`, () => assert.equal(truth(text, "X"), value));
  }

  for (const text of ["1", "yes", "TRUE", " true"]) {
    test(`refuses ${JSON.stringify(text)}: a door is not opened by guessing`, () => {
      const message = `ALLOW_ANONYMOUS: expected true or false, found "${text}"`;
      assert.throws(() => truth(text, "ALLOW_ANONYMOUS"), new ConfigurationError(message));
    });
  }
});

describe("toLogLevel", () => {
  test("takes the five levels, and info when nothing is said", () => {
    assert.deepEqual(["debug", "info", "warn", "error", "silent", undefined].map(toLogLevelOf), [
      "debug",
      "info",
      "warn",
      "error",
      "silent",
      "info",
    ]);
  });

  test("names the levels when it gets another", () => {
    const message = 'LOG_LEVEL: expected one of debug, info, warn, error, silent, found "trace"';
    assert.throws(() => toLogLevel("trace"), new ConfigurationError(message));
  });
});

function toLogLevelOf(text: string | undefined): string {
  return toLogLevel(text);
}
