import assert from "node:assert/strict";
import { existsSync, lstatSync } from "node:fs";
import { chmod, mkdir, readdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { silentLogger } from "../../lib/logger.ts";
import { createHomes, removeLeftovers } from "../../lib/processes/homes.ts";
import type { Home, Wanted } from "../../lib/processes/homes.ts";
import { createHostId } from "../../lib/processes/host-id.ts";
import { temporaryFolder } from "../support/files.ts";

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

const ID = createHostId();

/** Of folders whose names nobody can foresee. */
function namedIn(folder: string, inner: string): RegExp {
  return new RegExp(`^${join(folder, `mayfly-${ID}-[0-9a-f]{16}`, inner)}$`);
}

function prepare(wanted: Partial<Wanted>): Promise<Home> {
  return createHomes(ID).prepare({
    env: {},
    operatorSets: [],
    isPrivate: false,
    command: "server",
    ...wanted,
  });
}

describe("a HOME", () => {
  test("that can be written stays as it is", async (t) => {
    const env = { HOME: await ownTemporary(t), XDG_CACHE_HOME: "/caches" };
    const home = await prepare({ env });
    assert.deepEqual(home.env, env);
    await home.remove();
    assert.ok(existsSync(env.HOME));
  });

  test("that is missing, empty, not there, or no folder is replaced, and removed with all that is in it", async (t) => {
    const folder = await ownTemporary(t);
    const file = join(folder, "file");
    await writeFile(file, "");
    for (const asked of [undefined, "", join(folder, "not", "there"), file, "/dev/null"]) {
      const home = await prepare({ env: { ...(asked !== undefined && { HOME: asked }), OTHER: "x" } });
      const made = home.env["HOME"] ?? "";
      assert.match(made, namedIn(folder, "home"), asked);
      assert.equal((await stat(dirname(made))).mode & 0o777, 0o700);
      assert.deepEqual([home.env["OTHER"], home.env["TMPDIR"]], ["x", undefined]);
      await mkdir(join(made, "sub"));
      await writeFile(join(made, "sub", "file"), "x");
      await home.remove();
      assert.equal(existsSync(dirname(made)), false);
      await home.remove();
    }
  });

  test("of one process is not that of another, but their caches are the same", async (t) => {
    const folder = await ownTemporary(t);
    const homes = createHomes(ID);
    const wanted = { env: {}, operatorSets: [], isPrivate: false, command: "server" };
    const [first, second] = await Promise.all([homes.prepare(wanted), homes.prepare(wanted)]);
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

  test("of uvx finds the Python that it has downloaded before", async (t) => {
    const folder = await ownTemporary(t);
    const caches = join(folder, `mayfly-cache-${process.getuid?.() ?? "user"}`);
    for (const command of ["uvx", "/opt/uv"]) {
      const home = await prepare({ command });
      assert.equal(home.env["UV_PYTHON_INSTALL_DIR"], join(caches, "uv-python"), command);
      await home.remove();
    }
  });

  test("is refused caches that somebody could have put there", async (t) => {
    const folder = await ownTemporary(t);
    await mkdir(join(folder, "elsewhere"));
    const caches = join(folder, `mayfly-cache-${process.getuid?.() ?? "user"}`);
    await symlink(join(folder, "elsewhere"), caches);
    await assert.rejects(prepare({}), /mayfly-cache-\w+ belongs to somebody else$/);
    assert.deepEqual((await readdir(folder)).toSorted(), ["elsewhere", basename(caches)].toSorted());
  });
});

describe("a private home", () => {
  test("is a HOME and a folder for temporary files, where the operator has not chosen others", async (t) => {
    const own = await temporaryFolder(t);
    const folder = await ownTemporary(t);
    const env = { HOME: own, TMPDIR: "/tmp", KEPT: "x" };
    const home = await prepare({ env, isPrivate: true });
    const place = dirname(home.env["HOME"] ?? "");
    assert.match(place, namedIn(folder, ""));
    assert.deepEqual(home.env, { HOME: join(place, "home"), TMPDIR: join(place, "tmp"), KEPT: "x" });
    assert.deepEqual((await readdir(place)).toSorted(), ["home", "tmp"]);
    await home.remove();
    const kept = await prepare({ env, isPrivate: true, operatorSets: ["HOME"] });
    const { TMPDIR, ...others } = kept.env;
    assert.match(TMPDIR ?? "", namedIn(folder, "tmp"));
    assert.deepEqual(others, { HOME: own, KEPT: "x" });
    await kept.remove();
    assert.deepEqual(await readdir(folder), []);
  });

  test("is there also where somebody has made folders with numbers in place of random names", async (t) => {
    const folder = await ownTemporary(t);
    for (const number of [1, 2, 3]) await mkdir(join(folder, `mayfly-${ID}-${number}`));
    const home = await prepare({ env: { HOME: folder }, isPrivate: true });
    assert.ok(existsSync(home.env["TMPDIR"] ?? ""));
    await home.remove();
    assert.equal((await readdir(folder)).length, 3);
  });

  test("has none of the folders that several processes know", async (t) => {
    await ownTemporary(t);
    const HOME = await temporaryFolder(t);
    const env = {
      HOME,
      XDG_CONFIG_HOME: "/a",
      XDG_RUNTIME_DIR: "/b",
      XDG_DATA_HOME: "/c",
      XDG_SEAT: "seat0",
    };
    const home = await prepare({ env, isPrivate: true, operatorSets: ["XDG_DATA_HOME"] });
    const { HOME: _, TMPDIR: __, ...others } = home.env;
    assert.deepEqual(others, { XDG_DATA_HOME: "/c", XDG_SEAT: "seat0" });
    await home.remove();
  });

  test("leaves launchers the caches that they have elsewhere", async (t) => {
    await ownTemporary(t);
    const HOME = await temporaryFolder(t);
    const npm = { npm_config_cache: join(HOME, ".npm"), npm_config_userconfig: join(HOME, ".npmrc") };
    const uv = {
      UV_CACHE_DIR: join(HOME, ".cache/uv"),
      UV_PYTHON_INSTALL_DIR: join(HOME, ".local/share/uv/python"),
    };
    const cases = { npx: npm, "/usr/bin/npm": npm, "npx.cmd": npm, uvx: uv, "/opt/uv": uv, node: {} };
    for (const [command, caches] of Object.entries(cases)) {
      const home = await prepare({ env: { HOME }, isPrivate: true, command });
      const { HOME: _, TMPDIR: __, ...others } = home.env;
      assert.deepEqual(others, caches, command);
      await home.remove();
    }
    const set = { HOME, npm_config_cache: "/elsewhere" };
    const home = await prepare({ env: set, isPrivate: true, command: "npx" });
    assert.equal(home.env["npm_config_cache"], "/elsewhere");
    await home.remove();
  });

  test("is removed also where the process has write-protected it", async (t) => {
    const folder = await ownTemporary(t);
    const home = await prepare({ env: { HOME: folder }, isPrivate: true });
    const cache = join(home.env["HOME"] ?? "", "cache");
    await mkdir(join(cache, "inner"), { recursive: true });
    await writeFile(join(cache, "inner", "file"), "x");
    for (const path of [join(cache, "inner"), cache]) await chmod(path, 0o500);
    await home.remove();
    assert.deepEqual(await readdir(folder), []);
  });
});

describe("folders of other hosts", () => {
  test("are removed when the host was killed, or cannot be asked for a week", async (t) => {
    const folder = await ownTemporary(t);
    const [space, pid, start, random] = createHostId().split("-");
    const [gone, foreign] = [
      [space, pid, Number(start) + 1, random],
      ["00000000", pid, start, random],
    ];
    const old = `mayfly-${["ffffffff", ...foreign.slice(1)].join("-")}-1`;
    const others = ["mayfly-cache-0", "mayfly-something", `mayfly-${gone.join("-")}-x`];
    const names = {
      alive: `mayfly-${ID}-7`,
      gone: `mayfly-${gone.join("-")}-3`,
      foreign: `mayfly-${foreign.join("-")}-1`,
    };
    for (const name of [...Object.values(names), old, ...others])
      await mkdir(join(folder, name, "home"), { recursive: true });
    const eightDaysAgo = Date.now() / 1000 - 8 * 24 * 60 * 60;
    for (const name of [old, names.alive]) await utimes(join(folder, name), eightDaysAgo, eightDaysAgo);
    await symlink(join(folder, "mayfly-something"), join(folder, `mayfly-${gone.join("-")}-4`));
    await removeLeftovers(silentLogger);
    const left = [names.alive, names.foreign, `mayfly-${gone.join("-")}-4`, ...others];
    assert.deepEqual((await readdir(folder)).toSorted(), left.toSorted());
    assert.deepEqual(await readdir(join(folder, "mayfly-something")), ["home"]);
  });
});
