import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { findRungs } from "../../lib/adapters/node.ts";
import type { FindRungsOptions, Rung } from "../../lib/adapters/node.ts";
import { temporaryFolder } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";

const BWRAP = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "true"];

/** What was found, in a folder of this test in which nothing may be left; with these programs before all others. */
async function found(
  t: TestContext,
  options: FindRungsOptions,
  programs: Readonly<Record<string, string>> = {},
): Promise<(name: string) => Rung> {
  const [bin, folder] = [await temporaryFolder(t), await temporaryFolder(t)];
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  setFor(t, "TMPDIR", folder);
  setFor(t, "PATH", `${bin}:${process.env["PATH"]}`);
  const rungs = await findRungs(options);
  assert.deepEqual(await readdir(folder), []);
  // The arguments of what the experiments leave to be ended name it.
  await waitUntilGone(folder);
  return (name) => {
    const rung = rungs.find((one) => one.rung === name);
    assert.ok(rung, name);
    return rung;
  };
}

function setFor(t: TestContext, name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  t.after(() => (before === undefined ? delete process.env[name] : (process.env[name] = before)));
}

describe("the rungs of this host", () => {
  test("are those that were seen to hold", async (t) => {
    const rung = await found(t, { timeoutMs: 60_000 });
    for (const name of ["environment", "group", "cpu", "heap", "openFiles", "fileSize", "permissions"]) {
      assert.equal(rung(name).holds, true, `${name}: ${rung(name).why}`);
    }
    assert.equal(rung("cpu").why, "a program that computed for a second was ended by SIGXCPU");
    const net = process.allowedNodeEnvironmentFlags.has("--allow-net");
    assert.equal(rung("permissions:net").holds, net, rung("permissions:net").why);
    const bwrap = spawnSync("bwrap", BWRAP).status === 0;
    assert.equal(rung("wrapper:bwrap").holds, bwrap, rung("wrapper:bwrap").why);
  });

  test("hold no more than what a wrapper really keeps out", async (t) => {
    const lets = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"';
    const rung = await found(t, { timeoutMs: 60_000 }, { bwrap: lets, docker: "exit 0", podman: "exit 1" });
    assert.deepEqual(rung("wrapper:bwrap"), {
      rung: "wrapper:bwrap",
      holds: false,
      why: "a program was not refused to write outside of its sandbox (done)",
    });
    assert.equal(rung("wrapper:docker").why, "docker answers; name an image to try it");
    assert.equal(rung("wrapper:podman").why, "podman does not answer");
    assert.deepEqual([rung("wrapper:docker").holds, rung("wrapper:podman").holds], [false, false]);
  });

  test("name a container that ran, and one that did not", async (t) => {
    const runs = 'while [ "$1" != tiny ]; do shift; done; shift; exec "$@"';
    const rung = await found(t, { timeoutMs: 60_000, image: "tiny" }, { docker: runs, podman: "exit 125" });
    assert.deepEqual([rung("wrapper:docker").holds, rung("wrapper:podman").holds], [true, false]);
    assert.equal(rung("wrapper:podman").why, "podman could not run tiny (exit code 125)");
  });

  test("are not waited for beyond their time, and nothing of them is left", async (t) => {
    const token = testToken();
    const hangs = `exec "${process.execPath}" -e "setInterval(() => {}, 1e6)" ${token}`;
    const rung = await found(t, { timeoutMs: 1 }, { docker: hangs });
    assert.equal(rung("cpu").holds, false);
    assert.equal(rung("cpu").why, "nothing was seen within 1 milliseconds");
    assert.equal(rung("wrapper:docker").why, "nothing was seen within 1 milliseconds");
    await waitUntilGone(token);
  });
});
