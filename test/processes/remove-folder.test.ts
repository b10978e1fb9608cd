import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { removeFolder } from "../../lib/processes/remove-folder.ts";
import { within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";

/** Goes down step by step, as a path to the end of it would be longer than the system takes. */
const DIG = `for (let level = 0; level < 60; level += 1) {
  fs.mkdirSync("d".repeat(200)); fs.writeFileSync("file", ""); process.chdir("d".repeat(200)); }`;

const WAIT_MS = 20_000;

/** Makes folders, and puts a link in the place of each when it is told to. */
const SWAP = `const names = Array.from({ length: 1000 }, (_, at) => String(at));
for (const name of names) fs.mkdirSync(name);
process.once("message", () => {
  process.disconnect();
  for (const name of names) try { fs.rmdirSync(name); fs.symlinkSync(process.argv[1], name); } catch {}
});
process.send("ready");`;

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

  const isRoot = process.getuid?.() === 0 && "root may do everything";
  test("is removed also where folders in it can be neither read nor written", { skip: isRoot }, async (t) => {
    const folder = await temporaryFolder(t);
    const filled = join(folder, "filled");
    await mkdir(join(filled, "home", "one", "other"), { recursive: true });
    for (const path of ["home/one/other", "home/one", "home"]) await chmod(join(filled, path), 0);
    await removeFolder(filled);
    assert.deepEqual(await readdir(folder), []);
  });

  test("is removed alone, also while the program puts links in the place of folders", async (t) => {
    const folder = await temporaryFolder(t);
    const [filled, kept] = [join(folder, "filled"), join(folder, "kept")];
    await mkdir(join(filled, "home"), { recursive: true });
    await mkdir(kept, { mode: 0o755 });
    for (const name of ["one", "other"]) await writeFile(join(kept, name), "x");
    const program = spawn(process.execPath, ["-e", SWAP, kept], {
      cwd: join(filled, "home"),
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    t.after(() => program.kill("SIGKILL"));
    await within(once(program, "message"), WAIT_MS, "the folders are there");
    const ended = once(program, "exit");
    program.send("go");
    // It may be full of links again at the end of each try.
    await removeFolder(filled).catch(() => undefined);
    await within(ended, WAIT_MS, "the program ends");
    assert.deepEqual((await readdir(kept)).toSorted(), ["one", "other"]);
    assert.equal((await stat(kept)).mode & 0o777, 0o755);
    await removeFolder(filled);
    assert.deepEqual(await readdir(folder), ["kept"]);
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
