import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { mask, maskTail, maskedStart } from "../lib/secrets.ts";
import { effortOf } from "./support/effort.ts";
import { bigText } from "./support/fixture.ts";

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

describe("maskTail", () => {
  const secret = 'the-first "half" and-the-second-half';
  const rows: readonly (readonly [what: string, text: string, masked: string])[] = [
    ["leaves a text without secrets alone", "and-then", "and-then"],
    ["masks a whole secret", `x ${secret} y`, "x *** y"],
    ["masks the rest of a secret at the beginning", "and-the-second-half and a line", "*** and a line"],
    ["masks the rest of one that was escaped", 'half\\" and-the-second-half"}', '***"}'],
    ["masks what is nothing but a part", 'first "half" and', "***"],
    ["masks the rest of one before a whole one", `second-half ${secret}`, "*** ***"],
    ["leaves the rest alone where it is no beginning", "a second-half", "a second-half"],
    ["leaves alone what is too short to tell", "half", "half"],
    ["takes an empty text", "", ""],
  ];
  for (const [what, text, masked] of rows) {
    test(what, () => assert.equal(maskTail(text, ["short", secret]), masked));
  }
});

describe("a secret is masked in a JSON string", () => {
  const secrets = ['q"uo\te', "C:\\new\\u0041", "lines\nof\r\n\ttext", "päss/wörd😀", "plain-one"];
  const ascii = (text: string): string =>
    text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const writings: readonly (readonly [how: string, write: (text: string) => string])[] = [
    ["as JSON.stringify writes it", (text) => JSON.stringify(text)],
    ["with all but ASCII escaped", (text) => ascii(JSON.stringify(text))],
    [
      "with capital hex digits",
      (text) =>
        ascii(JSON.stringify(text)).replace(/\\u[0-9a-f]{4}/g, (u) => u.toUpperCase().replace("U", "u")),
    ],
    ["with slashes escaped", (text) => JSON.stringify(text).replaceAll("/", "\\/")],
    ["with every character escaped", (text) => `"${escapedWholly(text)}"`],
    ["inside of JSON in a string", (text) => JSON.stringify(JSON.stringify({ text }))],
    ["three levels deep", (text) => JSON.stringify(JSON.stringify(JSON.stringify([text])))],
    [
      "three levels deep with all but ASCII escaped",
      (text) => JSON.stringify(JSON.stringify(ascii(JSON.stringify([text])))),
    ],
  ];
  for (const [how, write] of writings) {
    test(how, () => {
      for (const secret of secrets) {
        const masked = mask(`{"before":1,"it":${write(`<${secret}>`)},"after":"\\n"}`, secrets);
        assert.match(masked, /^\{"before":1,"it":.*\*\*\*.*,"after":"\\n"\}$/s);
        assert.ok(!masked.includes(write(secret).replace(/^["[\\]+|["\]\\]+$/g, "")), masked);
      }
    });
  }

  test("and what stands around it stays as it was written", () => {
    assert.equal(mask('{"a":"\\u0041\\"sec\\u0072et\\"\\\\"}', ["secret"]), '{"a":"\\u0041\\"***\\"\\\\"}');
  });
});

function escapedWholly(text: string): string {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

describe("the start of a masked text", () => {
  const secret = "0123456789-secret";

  test("never shows a part of a secret, wherever it is cut", () => {
    for (const written of [
      secret,
      escapedWholly(secret),
      JSON.stringify(escapedWholly(secret)).slice(1, -1),
      escapedWholly(escapedWholly(secret)),
    ]) {
      const text = `<${written}>`.repeat(3);
      for (let limit = 0; limit <= text.length; limit += 1) {
        const shown = maskedStart(text, [secret], limit);
        assert.match(shown, /^(?:<\*\*\*>)*(?:<(?:\*\*\*)?)?$/, `${limit}: ${shown}`);
      }
    }
  });

  test("counts characters of the text as it was", () => {
    assert.equal(maskedStart("abcdefgh", [], 3), "abc");
    assert.equal(maskedStart(`${secret}abcdefgh`, [secret], secret.length + 2), "***ab");
    assert.equal(maskedStart("short", [secret], 100), "short");
  });

  test("takes no longer where the text is long", async () => {
    const text = bigText(64 * 1024 ** 2) + "\\u0041".repeat(1000);
    const tookMs = await effortOf(() => {
      for (let times = 0; times < 100; times += 1) maskedStart(text, [secret, text.slice(0, 99)], 4000);
    });
    assert.ok(tookMs < 2000, `the whole text was looked through in ${tookMs} milliseconds`);
  });
});

test("masking is linear, whatever the text is", async () => {
  const secrets = ["secret-\\\\\\\\\\", "aaaaaaab", '""""""""'];
  const tookMs = await effortOf(() => {
    for (const piece of ["\\", "a", '"', "\\u0041", '\\\\"', "secret-\\\\"])
      mask(piece.repeat(1_000_000 / piece.length), secrets);
  });
  assert.ok(tookMs < 10_000, `masking is not linear: ${tookMs} milliseconds`);
});
