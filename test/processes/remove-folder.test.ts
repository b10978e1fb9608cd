import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { removeFolder } from "../../lib/processes/remove-folder.ts";
import { temporaryFolder } from "../support/files.ts";

/** Goes down step by step, as a path to the end of it would be longer than the system takes. */
const DIG = `for (let level = 0; level < 60; level += 1) {
  fs.mkdirSync("d".repeat(200)); fs.writeFileSync("file", ""); process.chdir("d".repeat(200)); }`;

/** Runs a text in the folder, by Node. */
function runIn(folder: string, code: string): void {
  execFileSync(process.execPath, ["-e", code], { cwd: folder });
}

describe("a folder of a stranger's program", () => {
  test("is removed also where it is deeper than a path can tell", async (t) => {
    const folder = await temporaryFolder(t);
    const filled = join(folder, "filled");
    await mkdir(filled);
    runIn(filled, DIG);
    await removeFolder(filled);
    assert.deepEqual(await readdir(folder), []);
  });

  test("is removed whatever names are in it, and nothing that links in it lead to", async (t) => {
    const folder = await temporaryFolder(t);
    const filled = join(folder, "filled");
    await Promise.all([
      mkdir(join(filled, "inner", "empty"), { recursive: true }),
      mkdir(join(folder, "kept")),
    ]);
    await writeFile(join(folder, "kept", "file"), "x");
    if (process.platform === "linux") await writeFile(Buffer.from(`${filled}/inner/\xff\n`, "latin1"), "");
    await symlink(join(folder, "kept"), join(filled, "inner", "link"));
    await removeFolder(filled);
    assert.deepEqual(await readdir(folder), ["kept"]);
    assert.equal(await readFile(join(folder, "kept", "file"), "utf8"), "x");
  });

  test("holds nobody up with very many files", async (t) => {
    const filled = join(await temporaryFolder(t), "filled");
    await mkdir(filled);
    const count = 5000;
    runIn(filled, `for (let at = 0; at < ${count}; at += 1) fs.writeFileSync(String(at), "")`);
    let turns = 0;
    const countTurns = (): void => void ((turns += 1), (running = setImmediate(countTurns)));
    let running = setImmediate(countTurns);
    await removeFolder(filled);
    clearImmediate(running);
    assert.equal(existsSync(filled), false);
    assert.ok(turns > count / 2, `the loop turned ${turns} times`);
  });

  test("may be gone already", async (t) => {
    await removeFolder(join(await temporaryFolder(t), "gone"));
  });

  test("is not removed where it cannot be, which is an error", async (t) => {
    const file = join(await temporaryFolder(t), "file");
    await writeFile(file, "");
    await assert.rejects(removeFolder(file), { code: "ENOTDIR" });
  });
});
