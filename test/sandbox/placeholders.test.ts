import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fillPlaceholders, flawOfPlaceholders } from "../../lib/sandbox/placeholders.ts";

const PLACES = { home: "/h", tmp: "/t", cwd: "/c", name: "files", envNames: ["A", "B"] };

describe("placeholders are filled", () => {
  const rows: readonly (readonly [readonly string[], readonly string[]])[] = [
    [[], []],
    [
      ["bwrap", "--bind", "{home}", "{home}"],
      ["bwrap", "--bind", "/h", "/h"],
    ],
    [
      ["{tmp}:/tmp", "x{cwd}y{name}z"],
      ["/t:/tmp", "x/cyfilesz"],
    ],
    [
      ["{env}", "image"],
      ["--env", "A", "--env", "B", "image"],
    ],
    [
      ["{}", "{{.Name}}", '{"a":1}', "${HOME}x", "{", "$1"],
      ["{}", "{{.Name}}", '{"a":1}', "${HOME}x", "{", "$1"],
    ],
  ];
  for (const [args, filled] of rows) {
    test(JSON.stringify(args), () => assert.deepEqual(fillPlaceholders(args, PLACES), filled));
  }

  test("once: what a value holds is no placeholder", () => {
    assert.deepEqual(fillPlaceholders(["{home}{tmp}"], { ...PLACES, home: "{tmp}$&" }), ["{tmp}$&/t"]);
  });

  test("with no variable, {env} is nothing", () => {
    assert.deepEqual(fillPlaceholders(["a", "{env}", "b"], { ...PLACES, envNames: [] }), ["a", "b"]);
  });
});

describe("a placeholder that cannot be filled is named", () => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["{home}", undefined],
    ["{env}", undefined],
    ["{{.Name}}", undefined],
    ["${HOME} ${env}", undefined],
    ["{user}", "unknown placeholder {user}: there are {home}, {tmp}, {cwd}, {name}, {env}"],
    ["{constructor}", "unknown placeholder {constructor}: there are {home}, {tmp}, {cwd}, {name}, {env}"],
    ["x{env}", "{env} stands for several arguments, and must be one of its own"],
  ];
  for (const [arg, flaw] of rows) {
    test(arg, () => assert.equal(flawOfPlaceholders(arg), flaw));
  }
});
