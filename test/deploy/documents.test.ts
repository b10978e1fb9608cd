import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";

import { ROOT } from "../support/documents.ts";
import { VARIABLES, exampleFiles, read } from "./support/examples.ts";

const FOLDER = "docs/deploy";
const PAGES = readdirSync(join(ROOT, FOLDER)).map((name) => `${FOLDER}/${name}`);
const texts = new Map(await Promise.all(PAGES.map(async (page) => [page, await read(page)] as const)));
const all = [...texts.values()].join("\n");

/** Blocks of code that say which file they are: the language, then the path. */
const files = [...all.matchAll(/^```\w* (examples\/\S+)\n([^]*?)^```$/gm)];

describe("the pages about deployment", () => {
  test("show files as they are", async () => {
    assert.ok(files.length >= 3);
    for (const [, file = "", code] of files) assert.equal(code, await read(file), file);
  });

  test("lead to every example", async () => {
    const folders = new Set((await exampleFiles()).map((file) => file.split("/").slice(0, 2).join("/")));
    for (const folder of folders) assert.ok(all.includes(folder), folder);
  });

  for (const [page, text] of texts) {
    test(`${page} links to files that there are`, () => {
      const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, link = ""]) => link);
      assert.ok(links.length > 0);
      assert.deepEqual(
        links.filter((link) => !existsSync(join(ROOT, dirname(page), link))),
        [],
      );
    });

    test(`${page} ends with a request, says what limits there are and how to clean up`, () => {
      if (page.endsWith("/README.md")) return;
      assert.match(text, /curl -s/);
      assert.match(text, /^## Limits/m);
      assert.match(text, /^## Clean up/m);
      assert.match(text, /^## What was tried/m);
    });
  }

  test("name variables of Mayfly that there are", () => {
    const named = [...all.matchAll(/`((?:AUTH|MAX|MCP|ALLOW|SESSION|INPUT|STATE|CORS|PASS)_[A-Z_]+)`/g)];
    const others = named
      .map(([, name = ""]) => name)
      .filter((name) => !VARIABLES.has(name) && name !== "MCP_SERVER_CONFIG");
    assert.deepEqual(others, []);
    assert.ok(named.length > 0);
  });
});
