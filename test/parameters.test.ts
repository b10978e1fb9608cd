import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { OWN } from "../lib/environment.ts";
import { MayflyError } from "../lib/errors.ts";
import { requestedEnvironment } from "../lib/parameters.ts";
import { NEVER_SETTABLE } from "../lib/request-variables.ts";
import { always } from "./support/texts.ts";

const SECRET = "s3cret-value";

function requested(query: string, allowEnv: readonly string[] = ["*"]): Record<string, string> {
  return requestedEnvironment(new URL(`http://localhost/mcp?${query}`), { allowEnv });
}

function refusalOf(query: string, allowEnv?: readonly string[]): MayflyError {
  try {
    requested(query, allowEnv);
  } catch (error) {
    assert.ok(error instanceof MayflyError);
    return error;
  }
  return assert.fail(`${query} was let in`);
}

describe("the variables of a URL", () => {
  const rows: readonly (readonly [query: string, allowEnv: readonly string[], found: object])[] = [
    ["", [], {}],
    ["auth_key=k", [], {}],
    ["auth_key=k&auth_key=l", ["*"], {}],
    ["TOKEN=a%20b+c%3D&auth_key=k", ["TOKEN"], { TOKEN: "a b c=" }],
    ["%54OKEN=%E4%B8%96", ["TOKEN"], { TOKEN: "世" }],
    ["DB_URL=1&DB_=2&X", ["DB_*", "X"], { DB_URL: "1", DB_: "2", X: "" }],
    ["a=1&_b2=2&NODE_ENV=test&DEBUG=*", ["*"], { a: "1", _b2: "2", NODE_ENV: "test", DEBUG: "*" }],
    ["NODE_ENV=test", ["NODE_ENV"], { NODE_ENV: "test" }],
  ];
  for (const [query, allowEnv, found] of rows) {
    test(`of ?${query} are read where ${allowEnv.join(", ") || "nothing"} is allowed`, () =>
      assert.deepEqual(requested(query, allowEnv), found));
  }

  test("may have the name of what every object has", () => {
    const found = requested("__proto__=1&constructor=2");
    assert.deepEqual(Object.entries(found), [
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
    assert.deepEqual(Object.keys({ ...found }), ["__proto__", "constructor"]);
  });
});

describe("a URL is refused", () => {
  const rows: readonly (readonly [
    what: string,
    query: string,
    allowEnv: readonly string[],
    code: string,
    message: RegExp,
  ])[] = [
    [
      "for a variable that is not allowed, with the setting that would",
      `TOKEN=${SECRET}`,
      ["TOKENS", "T_*"],
      "PARAMETER_NOT_ALLOWED",
      /"TOKEN" .* --allow-env or allowEnv names it$/,
    ],
    ["for one among others", `A=1&B=${SECRET}`, ["A"], "PARAMETER_NOT_ALLOWED", /"B"/],
    ["for a loader", `LD_PRELOAD=${SECRET}`, ["*"], "PARAMETER_NEVER_ALLOWED", /"LD_PRELOAD" can never be/],
    ["for a key in capitals", `AUTH_KEY=${SECRET}`, ["*"], "PARAMETER_NEVER_ALLOWED", /"AUTH_KEY"/],
    ["for what no variable is called", `A-B=${SECRET}`, ["*"], "PARAMETER_NOT_VALID", /"A-B".*not the name/],
    ["for nothing with a value", `=${SECRET}`, ["*"], "PARAMETER_NOT_VALID", /"" .*not the name/],
    ["for a name that is escaped twice", `%2550ATH=${SECRET}`, ["*"], "PARAMETER_NOT_VALID", /"%50ATH"/],
    [
      "for the same twice",
      `A=${SECRET}&%41=${SECRET}`,
      ["A"],
      "PARAMETER_NOT_VALID",
      /"A".*stands there twice/,
    ],
    ["for a NUL", `A=${SECRET}%00`, ["A"], "PARAMETER_NOT_VALID", /"A".*NUL/],
    ["for a session", `session_id=${SECRET}`, ["*"], "PARAMETER_NOT_VALID", /"session_id".*other paths/],
    ["for a session, in its other name", `sessionId=${SECRET}`, ["*"], "PARAMETER_NOT_VALID", /"sessionId"/],
    ["for a deep look", "deep=1", ["*"], "PARAMETER_NOT_VALID", /"deep"/],
    ["for a long name, shortened", `${"A".repeat(500)}=1`, [], "PARAMETER_NOT_ALLOWED", /"A{128}…"/],
  ];
  for (const [what, query, allowEnv, code, message] of rows) {
    test(what, () => {
      const error = refusalOf(query, allowEnv);
      assert.deepEqual([error.code, error.status], [code, 400]);
      assert.match(error.message, message);
      assert.ok(!error.message.includes(SECRET), "the value is told");
    });
  }

  test("for every name that must never be set, in any case and encoding, whatever is allowed", () => {
    const patterns = fc.constantFrom(...NEVER_SETTABLE, ...OWN);
    const filling = fc.string({ unit: fc.constantFrom("A", "z", "_", "9"), minLength: 1, maxLength: 5 });
    const names = fc
      .tuple(patterns, filling)
      .map(([pattern, text]) => pattern.replace("*", text))
      .filter((name) => /^[A-Z_]/i.test(name) && name.toUpperCase() !== "NODE_ENV");
    const cased = fc
      .tuple(names, fc.infiniteStream(fc.boolean()))
      .map(([name, upper]) =>
        [...name]
          .map((letter) => (upper.next().value ? letter.toUpperCase() : letter.toLowerCase()))
          .join(""),
      );
    const encoded = fc.tuple(cased, fc.infiniteStream(fc.boolean())).map(([name, escapes]) => {
      const letters = [...name].map((letter) => {
        return escapes.next().value ? `%${letter.charCodeAt(0).toString(16)}` : letter;
      });
      return [name, letters.join("")] as const;
    });
    always(fc.tuple(encoded, fc.boolean()), ([[name, query], isNamed]) => {
      // auth_key is the key itself, and no variable.
      if (name === "auth_key") return;
      const error = refusalOf(`OTHER=1&${query}=${SECRET}`, isNamed ? [name, "OTHER"] : ["*"]);
      assert.equal(error.code, "PARAMETER_NEVER_ALLOWED");
      assert.ok(error.message.includes(`"${name}"`));
    });
  });
});
