import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { commanderOption } from "../../lib/cli/command-option.ts";
import { CONNECT_OPTIONS } from "../../lib/cli/connect-options.ts";
import { ERRORS } from "../../lib/errors.ts";
import { ROOT } from "../support/documents.ts";

const PAGE = await readFile(join(ROOT, "docs/connect.md"), "utf8");

/** The cells of the rows of a table, without the signs of code. */
const ROWS = PAGE.split("\n")
  .filter((line) => line.startsWith("| `--"))
  .map((line) => line.split("|").slice(1, -1))
  .map((cells) => cells.map((cell) => cell.trim().replaceAll("`", "")));

describe("the page about connect", () => {
  test("lists every option with its variable and its default", () => {
    const told = ROWS.map(([option = "", variable, otherwise]) => [
      /^--[\w-]+/.exec(option)?.[0],
      variable,
      otherwise,
    ]);
    const options = CONNECT_OPTIONS.map((option) => {
      const { variable = "", otherwise = "" } = option;
      return [commanderOption(option).long, variable, otherwise];
    });
    assert.deepEqual(new Set(told), new Set(options));
    assert.equal(told.length, options.length);
  });

  test("says what to do about every error that a remote server leads to", () => {
    const told = new Set([...PAGE.matchAll(/`(REMOTE_\w+)`/g)].map(([, code = ""]) => code));
    assert.deepEqual(told, new Set(Object.keys(ERRORS).filter((code) => code.startsWith("REMOTE_"))));
  });

  test("has a place for every link to itself", () => {
    const places = new Set([...PAGE.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => placeOf(title)));
    const links = [...PAGE.matchAll(/\]\(#([\w-]+)\)/g)].map(([, place = ""]) => place);
    assert.deepEqual(
      links.filter((place) => !places.has(place)),
      [],
    );
  });
});

/** As GitHub makes it of a heading. */
function placeOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w -]/g, "")
    .replaceAll(" ", "-");
}
