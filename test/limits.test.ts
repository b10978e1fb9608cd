import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { nameOf } from "../lib/cli/command-option.ts";
import { CONNECT_OPTIONS } from "../lib/cli/connect-options.ts";
import { SERVE_OPTIONS } from "../lib/cli/serve-options.ts";
import { SERVE_MEMBERS } from "../lib/adapters/serve-shape.ts";
import { SERVER_MEMBERS } from "../lib/configuration/server-shape.ts";
import { ERRORS } from "../lib/errors.ts";

const fileAt = (path: string): URL => new URL(`../${path}`, import.meta.url);
const read = (path: string): string => readFileSync(fileAt(path), "utf8");
const PAGE = read("docs/limits.md");

interface Row {
  readonly limit: string;
  readonly value: string;
  readonly setWith: readonly string[];
  readonly codes: readonly string[];
  readonly heldBy: string;
}

const HEAD = ["Limit", "Default", "Set with", "At the limit", "Held by"];

/** The rows of all tables of the page. */
const ROWS = PAGE.split("\n")
  .filter((line) => line.startsWith("|") && !/^[| -]+$/.test(line))
  .map((line) => line.split("|").slice(1, -1))
  .map((cells) => cells.map((cell) => cell.trim()))
  .filter(([first]) => first !== HEAD[0])
  .map(([limit = "", value = "", setWith = "", atLimit = "", heldBy = ""]): Row => ({
    limit,
    value,
    setWith: [...setWith.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
    codes: [...atLimit.matchAll(/`([A-Z_]+)`/g)].map(([, code = ""]) => code),
    heldBy,
  }));

const SETTINGS = new Set(ROWS.flatMap(({ setWith }) => setWith));
const OF_COMMAND = [...SERVE_OPTIONS, ...CONNECT_OPTIONS].map((option) => ({
  name: nameOf(option),
  flags: option.flags,
}));

/** Numbers of the options of the bridge to a remote server, with the defaults that their comments tell. */
const OF_BRIDGE = [
  ...read("lib/connect/options.ts").matchAll(/@default (\d+(?: MiB)?) \*\/\s+readonly (\w+)\?: number/g),
].map(([, value = "", name = ""]) => ({ name, value }));

/** Options that are numbers and limit nothing: how long others may keep an answer. */
const NO_LIMITS = new Set(["cacheTtlMs", "--spares", "--port"]);

function isNumber(name: string): boolean {
  return /^max[A-Z]|(?:Ms|Bytes|Seconds)$/.test(name) && !NO_LIMITS.has(name);
}

describe("the page about limits", () => {
  test("names only options that there are", () => {
    const known = new Set([
      ...OF_COMMAND.map(({ name }) => name),
      ...Object.keys(SERVE_MEMBERS),
      ...Object.keys(SERVER_MEMBERS).map((name) => `NAME.${name}`),
      ...OF_BRIDGE.map(({ name }) => name),
    ]);
    assert.deepEqual(
      [...SETTINGS].filter((name) => !known.has(name)),
      [],
    );
    assert.ok(SETTINGS.size > 20, "the table is read");
  });

  test("has every option of the library and of a server that is a number", () => {
    const numbers = [
      ...Object.keys(SERVE_MEMBERS).filter(isNumber),
      ...Object.keys(SERVER_MEMBERS)
        .filter(isNumber)
        .map((name) => `NAME.${name}`),
    ];
    assert.deepEqual(
      numbers.filter((name) => !SETTINGS.has(name)),
      [],
    );
  });

  test("has every option of the command that is a number", () => {
    const numbers = OF_COMMAND.filter(({ flags }) => /<(?:ms|n|bytes|seconds|number)>/.test(flags));
    const names = numbers.map(({ name }) => name).filter((name) => !NO_LIMITS.has(name));
    assert.deepEqual(
      names.filter((name) => !SETTINGS.has(name)),
      [],
    );
    assert.ok(names.length > 8, "the options are read");
  });

  test("tells the defaults that the options have", () => {
    const options = read("lib/configuration/options.ts");
    const documented = options.matchAll(/@default (\d+(?: MiB)?)[^*]*?\*\/\s+readonly (\w+)\?: number/g);
    const defaults = [...documented].filter(([, , name = ""]) => isNumber(name) && name in SERVE_MEMBERS);
    for (const [, value = "", name = ""] of defaults) {
      const row = ROWS.find(({ setWith }) => setWith.includes(name));
      assert.ok(row?.value.startsWith(value), `${name}: ${value} in the code, ${row?.value} on the page`);
    }
    assert.ok(defaults.length > 10, "the comments are read");
  });

  test("has every number of the bridge to a remote server, with its default", () => {
    const section = ROWS.slice(ROWS.findIndex(({ limit }) => limit === "bytes of a message of the server"));
    for (const { name, value } of OF_BRIDGE) {
      const row = section.find(({ setWith }) => setWith.includes(name));
      assert.ok(row?.value.startsWith(value), `${name}: ${value} in the code, ${row?.value} on the page`);
    }
    assert.equal(OF_BRIDGE.length, 3, "the comments are read");
  });

  test("names only errors that there are, and every error that tells a limit", () => {
    const named = new Set(ROWS.flatMap(({ codes }) => codes));
    assert.deepEqual(
      [...named].filter((code) => !(code in ERRORS)),
      [],
    );
    const limits = Object.entries(ERRORS).filter(([, { message }]) => message.includes("{limit}"));
    assert.deepEqual(
      limits.map(([code]) => code).filter((code) => !named.has(code)),
      [],
    );
  });

  test("names tests that there are", () => {
    for (const { limit, heldBy } of ROWS) {
      const file = /^`(test\/[\w/-]+\.test\.ts)`$/.exec(heldBy)?.[1];
      assert.ok(heldBy === "—" || (file !== undefined && existsSync(fileAt(file))), `${limit}: ${heldBy}`);
    }
  });
});
