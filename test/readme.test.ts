import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { commanderOption } from "../lib/cli/command-option.ts";
import { SERVE_OPTIONS } from "../lib/cli/serve-options.ts";
import { parseMcpJson } from "../lib/index.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const readme = await readFile(join(ROOT, "README.md"), "utf8");

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"))].map(
    ([, code = ""]) => code,
  );
}

test("the configuration in the README is valid", () => {
  const [example = ""] = blocks("json");
  const { mcpServers, default: chosen } = parseMcpJson(example, "README.md", {});
  assert.deepEqual(Object.keys(mcpServers), ["files", "memory"]);
  assert.deepEqual([chosen, mcpServers["memory"]?.env], ["files", { MEMORY_FILE_PATH: "/tmp/memory.jsonl" }]);
});

test("the library example in the README runs as it stands and calls a tool", async () => {
  const [example = ""] = blocks("ts");
  // Inside the package, so that its name resolves to what was built.
  const file = join(ROOT, ".cache", "readme", "example.mjs");
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, example);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: ROOT, timeout: 20_000 });
    assert.match(stdout, /"text":"Echo: hello"/);
  } finally {
    await rm(file);
  }
});

test("the README lists every option of the command with its variable and its default", () => {
  for (const option of SERVE_OPTIONS.filter(({ hidden }) => !hidden)) {
    const { long } = commanderOption(option);
    const row = readme.split("\n").find((line) => line.startsWith("|") && line.includes(`${long}`));
    assert.ok(row, `${long} is missing`);
    const { variable, otherwise = "" } = option;
    const [, , , shown = ""] = row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("`", ""));
    assert.equal(shown, otherwise, `the default of ${long}`);
    if (variable !== undefined) assert.ok(row.includes(`\`${variable}\``), `${variable} is missing`);
  }
});
