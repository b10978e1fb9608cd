import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Option } from "commander";

import { joinEnvPairs } from "../../lib/cli/arguments.ts";

const OPTIONS = [
  new Option("-e, --env <NAME=VALUE>"),
  new Option("--port <number>"),
  new Option("--allow-anonymous"),
];

describe("the pairs of -e", () => {
  const rows: readonly (readonly [what: string, argv: readonly string[], joined: readonly string[]])[] = [
    ["are nothing in an empty command line", [], []],
    ["are joined", ["-e", "A", "1", "node"], ["-e", "A=1", "node"]],
    ["are joined each", ["-e", "A", "1", "--env", "B_2", "x y", "n"], ["-e", "A=1", "--env", "B_2=x y", "n"]],
    ["are joined after serve", ["serve", "-e", "A", "1", "node"], ["serve", "-e", "A=1", "node"]],
    [
      "are joined after other options",
      ["--port", "1", "-e", "A", "1", "n"],
      ["--port", "1", "-e", "A=1", "n"],
    ],
    ["are joined after flags", ["--allow-anonymous", "-e", "A", "1"], ["--allow-anonymous", "-e", "A=1"]],
    ["stay when they are joined already", ["-e", "A=1", "node", "a"], ["-e", "A=1", "node", "a"]],
    [
      "stay joined with an option that holds its value",
      ["--port=1", "-e", "A", "1"],
      ["--port=1", "-e", "A=1"],
    ],
    ["may have a value that looks like an option", ["-e", "A", "-x", "node"], ["-e", "A=-x", "node"]],
    ["of the server's own command stay", ["node", "-e", "A", "1"], ["node", "-e", "A", "1"]],
    ["after -- stay", ["--", "-e", "A", "1"], ["--", "-e", "A", "1"]],
    ["of another command stay", ["build", "-e", "A", "1"], ["build", "-e", "A", "1"]],
    ["without a value stay", ["-e", "A"], ["-e", "A"]],
    ["without a name stay", ["-e", "1A", "1"], ["-e", "1A", "1"]],
    ["are not looked for in a value", ["--port", "-e", "A", "1"], ["--port", "-e", "A", "1"]],
  ];
  for (const [what, argv, joined] of rows) {
    test(what, () => assert.deepEqual(joinEnvPairs(argv, OPTIONS), joined));
  }
});
