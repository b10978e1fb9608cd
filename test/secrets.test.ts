import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { mask } from "../lib/secrets.ts";

describe("mask", () => {
  const rows: readonly (readonly [what: string, text: string, secrets: readonly string[], masked: string])[] =
    [
      ["leaves a text without secrets alone", "a line", [], "a line"],
      ["replaces every occurrence", "s3cret-value s3cret-value", ["s3cret-value"], "*** ***"],
      ["replaces a secret inside a word", "token=s3cret;", ["s3cret"], "token=***;"],
      ["takes the longer of two first", "s3cret-long s3cret", ["s3cret", "s3cret-long"], "*** ***"],
      [
        "leaves short values alone",
        "info 1 true abcde",
        ["info", "1", "true", "abcde", ""],
        "info 1 true abcde",
      ],
      ["reads no pattern into a secret", "a.b.c.d axbxcxd $&$&$&", ["a.b.c.d", "$&$&$&"], "*** axbxcxd ***"],
    ];
  for (const [what, text, secrets, masked] of rows) {
    test(what, () => assert.equal(mask(text, secrets), masked));
  }
});
