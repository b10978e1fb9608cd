import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { appendFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryFolder, waitForLine } from "./files.ts";

test("a temporary folder is there for one test only", async (t) => {
  let folder = "";
  await t.test("the test", async (inner) => {
    folder = await temporaryFolder(inner);
    await writeFile(join(folder, "file"), "");
    assert.ok((await stat(folder)).isDirectory());
  });
  assert.equal(existsSync(folder), false);
});

test("a line is waited for, in a file that is not there yet, until it is complete", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const found = waitForLine(file, /^b/);
  await writeFile(file, "a\nb");
  await appendFile(file, "c\nb again\n");
  assert.equal(await found, "bc");
});

test("a line that does not come is an error that shows the file", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  await writeFile(file, "a\n");
  await assert.rejects(waitForLine(file, /b/, { withinMs: 20 }), /a line like \/b\/, in "a\\n"/);
});
