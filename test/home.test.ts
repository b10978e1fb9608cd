import assert from "node:assert/strict";
import { existsSync, lstatSync } from "node:fs";
import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { prepareHome } from "../lib/home.ts";
import { temporaryFolder } from "./support/files.ts";

/** Makes a folder of this test the one for temporary files: the caches have a fixed name there. */
async function ownTemporary(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  t.after(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  });
  return folder;
}

describe("a HOME", () => {
  test("that can be written stays as it is", async (t) => {
    const home = await prepareHome(await ownTemporary(t));
    assert.deepEqual(home.env, {});
    await home.remove();
    assert.ok(existsSync(process.env["TMPDIR"] ?? ""));
  });

  test("that is missing, empty, not there, or no folder is replaced, and removed with all that is in it", async (t) => {
    const folder = await ownTemporary(t);
    const file = join(folder, "file");
    await writeFile(file, "");
    for (const asked of [undefined, "", join(folder, "not", "there"), file, "/dev/null"]) {
      const home = await prepareHome(asked);
      const made = home.env["HOME"] ?? "";
      assert.ok(made.startsWith(join(folder, "mayfly-home-")), `${asked}: ${made}`);
      assert.equal((await stat(made)).mode & 0o777, 0o700);
      await mkdir(join(made, "sub"));
      await writeFile(join(made, "sub", "file"), "x");
      await home.remove();
      assert.equal(existsSync(made), false);
      await home.remove();
    }
  });

  test("of one process is not that of another, but their caches are the same", async (t) => {
    const folder = await ownTemporary(t);
    const [first, second] = await Promise.all([prepareHome(undefined), prepareHome(undefined)]);
    assert.notEqual(first.env["HOME"], second.env["HOME"]);
    const caches = join(folder, `mayfly-cache-${process.getuid?.() ?? "user"}`);
    for (const home of [first, second]) {
      const { HOME, ...others } = home.env;
      assert.deepEqual(others, {
        npm_config_cache: join(caches, "npm"),
        XDG_CACHE_HOME: join(caches, "xdg"),
        UV_CACHE_DIR: join(caches, "uv"),
      });
      await home.remove();
      assert.equal(existsSync(HOME ?? ""), false);
    }
    assert.equal(lstatSync(caches).mode & 0o777, 0o700);
  });

  test("is refused caches that somebody could have put there", async (t) => {
    const folder = await ownTemporary(t);
    await mkdir(join(folder, "elsewhere"));
    const caches = join(folder, `mayfly-cache-${process.getuid?.() ?? "user"}`);
    await symlink(join(folder, "elsewhere"), caches);
    await assert.rejects(prepareHome(undefined), /mayfly-cache-\w+ belongs to somebody else$/);
    assert.deepEqual((await readdir(folder)).toSorted(), ["elsewhere", basename(caches)].toSorted());
  });
});
