import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const page = await readFile(join(ROOT, "docs", "security.md"), "utf8");
const [, section = ""] = page.split("## What Mayfly promises\n");
const rows = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| **"));

describe("the page about security", () => {
  test("names for each promise tests that there are", () => {
    assert.ok(rows.length > 15, "the rows are read");
    for (const row of rows) {
      const files = [...row.matchAll(/`(test\/[\w./-]+\.ts)`/g)].map(([, file = ""]) => file);
      assert.ok(files.length > 0, row);
      assert.deepEqual(
        files.filter((file) => !existsSync(join(ROOT, file))),
        [],
      );
    }
  });

  test("has a place for every link to itself", () => {
    const headings = new Set([...page.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => placeOf(title)));
    const links = [...page.matchAll(/\]\(#([\w-]+)\)/g)].map(([, place = ""]) => place);
    assert.ok(links.length > 0);
    assert.deepEqual(
      links.filter((place) => !headings.has(place)),
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
