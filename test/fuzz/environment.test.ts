import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { OWN, inheritedEnvironment } from "../../lib/environment.ts";
import { MayflyError } from "../../lib/errors.ts";
import { NEVER_SETTABLE } from "../../lib/never-settable.ts";
import { requestedEnvironment } from "../../lib/parameters.ts";
import { flawOfAllowed } from "../../lib/request-variables.ts";
import { always } from "../support/texts.ts";

/** Marks each value: nothing else has it. */
const VALUE = "v4lue-0f-a-caller";

/** Letters that another one stands for in upper case, in lower case or when compatible forms count as one. */
const LOOKALIKES = ["ſ", "ı", "İ", "K", "ß", "ﬁ", "Ａ", "ａ", "＿", "\u00AD", "\u200B", "\u0301", "\0", "="];
/** What every object has: no list and no table of names may be asked for it by accident. */
const INHERITED_BY_OBJECTS = Object.getOwnPropertyNames(Object.prototype);

const forbidden = fc
  .tuple(fc.constantFrom(...NEVER_SETTABLE, ...OWN), fc.stringMatching(/^[A-Za-z0-9_]{1,4}$/))
  .map(([pattern, filling]) => pattern.replace("*", filling));
const disguised = fc
  .tuple(forbidden, fc.nat(40), fc.constantFrom(...LOOKALIKES), fc.boolean())
  .map(([name, at, letter, isInserted]) => {
    const place = at % (name.length + 1);
    return name.slice(0, place) + letter + name.slice(isInserted ? place : place + 1);
  });
const cased = fc
  .tuple(forbidden, fc.infiniteStream(fc.boolean()))
  .map(([name, upper]) =>
    [...name].map((one) => (upper.next().value ? one.toUpperCase() : one.toLowerCase())).join(""),
  );
const names = fc.oneof(
  cased,
  disguised,
  fc.constantFrom(...INHERITED_BY_OBJECTS, "auth_key", "NODE_ENV", "DEBUG", "debug"),
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const allowed = fc
  .array(fc.oneof(fc.constant("*"), fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,3}\*?$/), names), { maxLength: 4 })
  .map((list) => list.filter((entry) => flawOfAllowed(entry) === undefined));

/** Ways in which a system or a program may read a name. */
const FOLDINGS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => name.toLowerCase().toUpperCase(),
  (name) => name.normalize("NFKC").toUpperCase(),
  (name) => name.toLocaleUpperCase("tr"),
  (name) => name.replace(/[^ -~]/g, "").toUpperCase(),
];

function isForbidden(name: string): boolean {
  return [...NEVER_SETTABLE, ...OWN].some((pattern) => {
    const [start = "", end] = pattern.split("*");
    return end === undefined ? name === pattern : name.startsWith(start) && name.endsWith(end);
  });
}

function isCovered(name: string, list: readonly string[]): boolean {
  return list.some((entry) => (entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name === entry));
}

function requested(
  given: readonly string[],
  allowEnv: readonly string[],
): Record<string, string> | MayflyError {
  const url = new URL("http://localhost/mcp");
  for (const name of given) url.searchParams.append(name, VALUE);
  try {
    return requestedEnvironment({ headers: new Headers() }, url, { allowEnv, envFrom: [] }, { authKeys: [] });
  } catch (error) {
    assert.ok(error instanceof MayflyError, String(error));
    return error;
  }
}

describe("whatever a URL asks for", () => {
  const asked = fc.tuple(fc.array(names, { maxLength: 4 }), fc.oneof(fc.constant(["*"]), allowed));

  test("no variable is set that never may be, by whatever reading of its name", () => {
    always(asked, ([given, allowEnv]) => {
      const found = requested(given, allowEnv);
      if (found instanceof MayflyError) return;
      for (const name of Object.keys(found)) {
        const readings = FOLDINGS.map((fold) => fold(name)).filter(
          (reading) => reading !== "NODE_ENV" && reading !== "DEBUG",
        );
        assert.ok(!readings.some(isForbidden), `${JSON.stringify(name)} was let in`);
      }
    });
  });

  test("only what the operator allows is set, with the values that were given, and all of it", () => {
    always(asked, ([given, allowEnv]) => {
      const found = requested(given, allowEnv);
      if (found instanceof MayflyError) return;
      assert.ok(Object.keys(found).every((name) => isCovered(name, allowEnv)));
      const wanted = new Set(given.filter((name) => name !== "auth_key"));
      assert.deepEqual(new Set(Object.keys(found)), wanted);
      assert.ok(Object.values(found).every((value) => value === VALUE));
    });
  });

  test("an error is about the caller, with status 400 and without a value", () => {
    always(asked, ([given, allowEnv]) => {
      const error = requested(given, allowEnv);
      if (!(error instanceof MayflyError)) return;
      assert.equal(error.status, 400);
      assert.ok(!JSON.stringify([error.message, error.data, error.log]).includes(VALUE));
    });
  });

  test("what every object has is a name like any other, but for the one that is no variable's", () => {
    assert.ok(requested(["__proto__"], ["*"]) instanceof MayflyError);
    for (const name of INHERITED_BY_OBJECTS.filter((one) => one !== "__proto__")) {
      const found = requested([name], ["*"]);
      assert.ok(!(found instanceof MayflyError), name);
      assert.deepEqual(Object.entries(found), [[name, VALUE]]);
      assert.ok(requested([name], ["OTHER"]) instanceof MayflyError, name);
    }
    assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  });
});

test("of Mayfly's own variables a server inherits none, whatever the operator passes on", () => {
  const own = Object.fromEntries([...OWN, "TOKEN", "__proto__"].map((name) => [name, VALUE]));
  always(
    fc.array(fc.oneof(fc.constant("*"), fc.constantFrom(...OWN), names), { maxLength: 4 }),
    (passEnv) => {
      const inherited = Object.keys(inheritedEnvironment(own, passEnv));
      assert.ok(!inherited.some((name) => OWN.some((mine) => mine === name)), String(inherited));
    },
  );
});
