import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { buildCommand } from "../../lib/cli/build.ts";

const page = await readFile(new URL("../../docs/build.md", import.meta.url), "utf8");

test("the page about building has every option of the command, and no other", () => {
  const rows = page.split("\n").filter((line) => line.startsWith("| `--"));
  const told = rows.map((line) => /^\| `(--[\w-]+)/.exec(line)?.[1]);
  assert.deepEqual(
    told,
    buildCommand().options.map(({ long }) => long),
  );
});
