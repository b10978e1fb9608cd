import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { mask, maskedStart } from "../../lib/secrets.ts";
import { always } from "../support/texts.ts";

/** How often a text may be escaped and still be looked through. */
const LEVELS = 3;

const character = fc.oneof(
  fc.constantFrom("a", "s", "0", "-", "_", ".", "$", "&", '"', "\\", "/", "\n", "\t", "u", "é", "日"),
  // What replaces a secret must not make another one.
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 }).filter((one) => one !== "*"),
);
const secret = fc.string({ unit: character, minLength: 6, maxLength: 20 });
const filling = fc.string({ unit: character, maxLength: 8 });

type Write = (text: string) => string;

/** As programs write a text into a JSON string. */
const WAYS: readonly Write[] = [
  (text) => JSON.stringify(text).slice(1, -1),
  (text) => escaped(text, /[^ -~]/g),
  (text) => escaped(text, /[\s\S]/g),
  (text) => JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/"),
];

function escaped(text: string, which: RegExp): string {
  const plain = which.source === "[^ -~]" ? JSON.stringify(text).slice(1, -1) : text;
  return plain.replace(which, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const ways = fc.array(fc.constantFrom(...WAYS), { maxLength: LEVELS });

function written(text: string, all: readonly Write[]): string {
  return all.reduce((inner, write) => write(inner), text);
}

/** What a text says when its escapes are read so many times. */
function readings(text: string): string[] {
  const all = [text];
  for (let level = 0; level < LEVELS; level += 1) all.push(unescaped(all.at(-1) ?? ""));
  return all;
}

const SHORT: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** One character after the other, unlike what is tested. */
function unescaped(text: string): string {
  let read = "";
  for (let at = 0; at < text.length; at += 1) {
    const next = text[at + 1] ?? "";
    const unit = /^[0-9a-fA-F]{4}/.exec(text.slice(at + 2))?.[0];
    if (text[at] !== "\\") read += text[at];
    else if (next === "u" && unit !== undefined) {
      read += String.fromCharCode(Number.parseInt(unit, 16));
      at += 5;
    } else if (next !== "" && '"\\/bfnrt'.includes(next)) {
      read += SHORT[next] ?? next;
      at += 1;
    } else read += "\\";
  }
  return read;
}

describe("no secret of six characters or more", () => {
  const texts = fc.tuple(fc.array(secret, { minLength: 1, maxLength: 3 }), filling, filling, ways, fc.nat(2));

  test("is left in a masked text, however often it was escaped", () => {
    always(texts, ([secrets, before, after, all, which]) => {
      const text = before + written(secrets[which % secrets.length] ?? "", all) + after;
      for (const reading of readings(mask(text, secrets))) {
        for (const one of secrets) assert.ok(!reading.includes(one), `${text} became ${reading}`);
      }
    });
  });

  test("begins in the start of a masked text, wherever that ends", () => {
    // Nothing of the secret stands elsewhere: what is left of it shows.
    const plain = fc.string({ unit: fc.constantFrom(..."bcdef"), minLength: 6, maxLength: 20 });
    const around = fc.string({ unit: fc.constantFrom(..." ,:{}"), maxLength: 8 });
    always(fc.tuple(plain, around, around, ways, fc.nat(400)), ([one, before, after, all, limit]) => {
      const text = written(before + one + after, all);
      const [start, whole] = [maskedStart(text, [one], limit), mask(text, [one])];
      assert.ok(whole.startsWith(start.replace(/\*{3}$/, "")), `${start} of ${whole}`);
      assert.ok(!readings(start).some((reading) => reading.includes(one.slice(0, 6))), start);
    });
  });
});

test("what is no secret stays as it was", () => {
  always(fc.tuple(secret, fc.string({ unit: character, maxLength: 200 })), ([one, text]) => {
    if (readings(text).some((reading) => reading.includes(one))) return;
    assert.equal(mask(text, [one]), text);
  });
});
