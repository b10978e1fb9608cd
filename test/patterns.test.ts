import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { matcherOf } from "../lib/patterns.ts";
import { effortOf } from "./support/effort.ts";
import { always } from "./support/texts.ts";

describe("a pattern", () => {
  const rows: readonly (readonly [pattern: string, fits: readonly string[], others: readonly string[]])[] = [
    ["get_repo", ["get_repo"], ["get_repos", "a_get_repo", "Get_repo", ""]],
    ["get_*", ["get_", "get_a", "get_*", "get_\n"], ["get", "a_get_", "GET_a"]],
    ["*_repo", ["_repo", "get_repo"], ["get_repo_", "get_repos"]],
    ["*", ["", "a", "\u{1F600}", "a\nb"], []],
    ["**", ["", "a"], []],
    ["a*b*c", ["abc", "aXbYc", "abbcc"], ["ab", "acb", "abcX"]],
    ["a*a", ["aa", "aXa"], ["a"]],
    ["*ab*ab*", ["abab", "XabYabZ"], ["aab", "aba"]],
    ["", [""], ["a"]],
    [".?[a]+(b)^$|\\", [".?[a]+(b)^$|\\"], ["xa", "ab"]],
  ];
  for (const [pattern, fits, others] of rows) {
    test(`${pattern} fits whole names, in their case`, () => {
      const matches = matcherOf(pattern);
      assert.deepEqual(
        fits.filter((text) => !matches(text)),
        [],
        "do not fit",
      );
      assert.deepEqual(
        others.filter((text) => matches(text)),
        [],
        "fit",
      );
    });
  }

  test("means the same as in a matcher that tries every way", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
    const patterns = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 6 });
    always(fc.tuple(patterns, letters), ([pattern, text]) => {
      assert.equal(matcherOf(pattern)(text), fitsNaively(pattern, text));
    });
    always(fc.tuple(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 })), ([pattern, text]) => {
      assert.equal(matcherOf(pattern)(text), fitsNaively(pattern, text));
      assert.equal(matcherOf(`*${pattern}*`)(text + pattern + text), true);
    });
  });

  test("takes no time of its own for a name that fits nearly, many stars or not", async () => {
    const matches = matcherOf(`${"*a".repeat(500)}*b`);
    const tookMs = await effortOf(() => assert.equal(matches("a".repeat(4_000_000)), false));
    // A matcher that goes back to a star and tries again would need longer than the universe has lasted.
    assert.ok(tookMs < 5000, `${tookMs} milliseconds`);
  });
});

function fitsNaively(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern.startsWith("*")) {
    return fitsNaively(pattern.slice(1), text) || (text !== "" && fitsNaively(pattern, text.slice(1)));
  }
  return text.startsWith(pattern.charAt(0)) && fitsNaively(pattern.slice(1), text.slice(1));
}
