import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { readSources } from "../lib/credential-sources.ts";
import { MAX_VALUE_BYTES } from "../lib/credentials.ts";
import { OWN } from "../lib/environment.ts";
import { MayflyError } from "../lib/errors.ts";
import { requestedEnvironment } from "../lib/parameters.ts";
import { NEVER_SETTABLE } from "../lib/never-settable.ts";
import { always } from "./support/texts.ts";

const SECRET = "s3cret-value";

const KEY = "the-k3y-of-this-host";

function requested(query: string, allowEnv: readonly string[] = ["*"]): Record<string, string> {
  const url = new URL(`http://localhost/mcp?${query}`);
  const envFrom = readSources({ CALLERS: "header:x-callers", MAPPED: "query:mapped", SAME: "query:SAME" });
  return requestedEnvironment({ headers: new Headers() }, url, { allowEnv, envFrom }, { authKeys: [KEY] });
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
    ["mapped=1&SAME=2&A=3", ["*"], { A: "3", MAPPED: "1", SAME: "2" }],
    ["mapped=1", [], { MAPPED: "1" }],
    [`A=${"x".repeat(MAX_VALUE_BYTES - 1)}`, ["*"], { A: "x".repeat(MAX_VALUE_BYTES - 1) }],
  ];
  for (const [query, allowEnv, found] of rows) {
    test(`of ?${query.slice(0, 60)} are read where ${allowEnv.join(", ") || "nothing"} is allowed`, () =>
      assert.deepEqual(requested(query, allowEnv), found));
  }

  test("may have the name of what every object has", () => {
    const found = requested("prototype=1&constructor=2&toString=3");
    assert.deepEqual(Object.entries(found), [
      ["prototype", "1"],
      ["constructor", "2"],
      ["toString", "3"],
    ]);
  });

  test("are up to 64", () => {
    const query = (count: number): string => Array.from({ length: count }, (_, at) => `A${at}=1`).join("&");
    assert.equal(Object.keys(requested(query(64))).length, 64);
    const { code, status, message } = refusalOf(query(65));
    assert.deepEqual([code, status], ["TOO_MANY_PARAMETERS", 400]);
    assert.match(message, /more than 64 parameters/);
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
    [
      "for what would be the prototype of an object",
      `__proto__=${SECRET}`,
      ["*"],
      "PARAMETER_NOT_VALID",
      /not/,
    ],
    [
      "for what the server takes from a header",
      `CALLERS=${SECRET}`,
      ["*"],
      "PARAMETER_HAS_SOURCE",
      /"CALLERS" is taken from the header "x-callers" here/,
    ],
    [
      "for the same in another case",
      `callers=${SECRET}`,
      ["*", "CALLERS"],
      "PARAMETER_HAS_SOURCE",
      /"callers"/,
    ],
    [
      "for what the server takes from another parameter",
      `MAPPED=${SECRET}`,
      ["*"],
      "PARAMETER_HAS_SOURCE",
      /URL parameter "mapped"/,
    ],
    [
      "for such a parameter twice",
      `mapped=${SECRET}&%6dapped=${SECRET}`,
      ["*"],
      "CREDENTIAL_NOT_VALID",
      /"mapped".*twice/,
    ],
    [
      "for the key under another name",
      `A=${encodeURIComponent(KEY)}`,
      ["*"],
      "PARAMETER_NOT_VALID",
      /"A".*a key of this host/,
    ],
    [
      "for a value that is too long",
      `A=${"x".repeat(MAX_VALUE_BYTES)}`,
      ["*"],
      "PARAMETER_NOT_VALID",
      /"A".*more than 16384 bytes/,
    ],
    ["for bytes that are no UTF-8", "A=%FF", ["*"], "PARAMETER_NOT_VALID", /"A".*not UTF-8/],
    ["for an overlong NUL", "A=%C0%80", ["*"], "PARAMETER_NOT_VALID", /"A".*not UTF-8/],
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
