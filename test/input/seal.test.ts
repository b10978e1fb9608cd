import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { SEALED_PREFIX, createSeal } from "../../lib/input/seal.ts";
import { always } from "../support/texts.ts";

const SECRET = "a secret of the operator, 32 characters or more";
const ours = createSeal([SECRET]);
const seal = (text: string): string => ours.seal(text);
const open = (sealed: string): string | undefined => ours.open(sealed);

describe("a sealed text", () => {
  test("is opened by whoever has the secret", () => {
    const check = (text: string): void => assert.equal(createSeal([SECRET]).open(seal(text)), text);
    always(fc.string({ unit: "grapheme", maxLength: 200 }), check);
    check("");
    check("x".repeat(1_000_000));
  });

  test("is visible ASCII, names its maker, and shows nothing of the text", () => {
    const sealed = seal('{"answer":"my name"}');
    assert.match(sealed, /^mayfly1\.[A-Za-z0-9_-]+$/);
    const bytes = Buffer.from(sealed.slice(SEALED_PREFIX.length), "base64url").toString("latin1");
    assert.doesNotMatch(bytes + sealed, /answer|my name/);
  });

  test("differs each time, so that equal texts cannot be told", () => {
    assert.equal(new Set(Array.from({ length: 100 }, () => seal("a"))).size, 100);
  });

  test("is refused with any single character changed", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ";
    const sealed = seal("the text");
    const changed = fc.record({ at: fc.nat(sealed.length - 1), by: fc.constantFrom(...alphabet) });
    const check = ({ at, by }: { at: number; by: string }): void => {
      if (sealed[at] === by) return;
      assert.equal(open(sealed.slice(0, at) + by + sealed.slice(at + 1)), undefined);
    };
    always(changed, check);
    for (const by of alphabet) check({ at: sealed.length - 1, by });
  });

  test("is refused with a character more or less, at any place", () => {
    const sealed = seal("the text");
    for (let at = 0; at < sealed.length; at += 1) {
      assert.equal(open(sealed.slice(0, at) + sealed.slice(at + 1)), undefined, `without ${at}`);
      assert.equal(open(`${sealed.slice(0, at)}A${sealed.slice(at)}`), undefined, `with one more at ${at}`);
    }
    for (const end of ["A", "=", "\n", " ", ".", "%"]) assert.equal(open(sealed + end), undefined, end);
  });

  test("is refused when it is made of two", () => {
    const [one, other] = [seal("the first"), seal("the other")];
    for (let at = SEALED_PREFIX.length; at < one.length; at += 1) {
      const mixed = one.slice(0, at) + other.slice(at);
      if (mixed !== one && mixed !== other) assert.equal(open(mixed), undefined);
    }
  });
});

describe("what was not sealed here", () => {
  const long = Buffer.alloc(64, 7).toString("base64url");
  for (const text of [
    "",
    "x",
    "mayfly1.",
    "mayfly1",
    "mayfly1.AAAA",
    `mayfly1.${long}`,
    `mayfly2.${long}`,
    long,
  ]) {
    test(`is not opened: ${text.slice(0, 20)}`, () => assert.equal(open(text), undefined));
  }

  test("is not opened, whatever it is", () => {
    const check = (text: string): void => assert.equal(open(SEALED_PREFIX + text), undefined);
    always(fc.base64String(), check);
    always(fc.string({ unit: "binary" }), check);
  });

  test("is not opened without its prefix, or with that in capitals", () => {
    const sealed = seal("a").slice(SEALED_PREFIX.length);
    assert.equal(open(sealed), undefined);
    assert.equal(open(SEALED_PREFIX.toUpperCase() + sealed), undefined);
  });
});

describe("a secret", () => {
  test("opens nothing of another one", () => {
    for (const other of ["", `${SECRET} `, SECRET.toUpperCase(), SECRET.slice(1)]) {
      assert.equal(createSeal([other]).open(seal("a")), undefined);
    }
  });

  test("is replaced by putting a new one in front, and taking it away later", () => {
    const [before, during, after] = [["old"], ["new", "old"], ["new"]].map((secrets) => createSeal(secrets));
    const [old, next] = [before?.seal("a") ?? "", during?.seal("b") ?? ""];
    assert.deepEqual(
      [before, during, after].map((seal) => seal?.open(old)),
      ["a", "a", undefined],
    );
    assert.deepEqual(
      [before, during, after].map((seal) => seal?.open(next)),
      [undefined, "b", "b"],
    );
  });

  test("is needed: without any nothing is ever opened", () => {
    const none = createSeal([]);
    assert.equal(none.open(none.seal("a")), undefined);
    assert.equal(none.open(seal("a")), undefined);
  });
});
