import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { checkNames, folderBeside, putInPlace, removeOthers, repair } from "../../lib/build/place.ts";
import { temporaryFolder } from "../support/files.ts";
import { filesBelow } from "./project.ts";

async function tree(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const OURS = JSON.stringify({ mayfly: {} });

describe("after an interrupted build", () => {
  const rows: readonly (readonly [when: string, files: Record<string, string>, left: string[]])[] = [
    ["while it installed", { "a/new": "", "building~a/half": "" }, ["a/new"]],
    ["between its renames", { "old~a/old": "", "building~a/done": "" }, ["a/old"]],
    ["while it removed the old folder", { "old~a/old": "", "a/new": "" }, ["a/new"]],
  ];
  for (const [when, files, left] of rows) {
    test(`${when}, the next one has a whole folder`, async (t) => {
      const out = await tree(t, files);
      await repair(out);
      assert.deepEqual(await filesBelow(out), left);
    });
  }
});

test("a new folder takes the place of the old one", async (t) => {
  const out = await tree(t, { "a/old": "" });
  await writeFile(join(await folderBeside(out, "a"), "new"), "text");
  assert.deepEqual(await filesBelow(out), ["a/old", "building~a/new"]);
  await putInPlace(out, "a");
  assert.deepEqual(await filesBelow(out), ["a/new"]);
  assert.equal(await readFile(join(out, "a", "new"), "utf8"), "text");
});

test("only folders of builds, of servers that are gone, are removed", async (t) => {
  const files = {
    "a/package.json": OURS,
    "b/package.json": OURS,
    "c/package.json": "{}",
    "d/x": "",
    e: OURS,
  };
  const out = await tree(t, { ...files, "f/package.json": "no JSON" });
  assert.deepEqual(await removeOthers(out, ["a"]), ["b"]);
  assert.deepEqual(await filesBelow(out), ["a/package.json", "c/package.json", "d/x", "e", "f/package.json"]);
});

describe("the names of servers", () => {
  for (const name of [".", "..", "node_modules"]) {
    test(`cannot be ${name}`, () => {
      assert.throws(() => checkNames(["a", name]), {
        message: `mcpServers.${name}: cannot be the name of a folder`,
      });
    });
  }

  test("cannot differ in upper and lower case alone", () => {
    assert.throws(() => checkNames(["Files", "files"]), /mcpServers\.files: .* the one of "Files"/);
    checkNames(["files", "files2", ".files"]);
  });
});
