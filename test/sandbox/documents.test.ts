import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";

import { createHandler, parseMcpJson } from "../../lib/index.ts";
import { boxed } from "../support/boxed.ts";
import { ROOT, codeIn } from "../support/documents.ts";
import { temporaryFolder } from "../support/files.ts";

const examples = await codeIn("docs/security.md", "json");

describe("the configurations in docs/security.md", () => {
  for (const { heading, code } of examples) {
    test(`are valid: ${heading}`, async () => {
      const config = parseMcpJson(code, "docs/security.md", {});
      await createHandler({ ...config, allowAnonymous: true, baseDirectory: ROOT }).close();
    });
  }

  test("are those of every rung that has one", () => {
    assert.deepEqual(
      examples.map(({ heading }) => heading),
      ["Limits", "Permissions", "Wrapper"],
    );
  });
});

const { mcpServers } = parseMcpJson(examples.at(-1)?.code ?? "", "docs/security.md", {});
const wrapper = mcpServers["shell"]?.wrapper ?? [];
const NEEDS = [
  "--ro-bind",
  "/",
  "/",
  "--dev",
  "/dev",
  "--proc",
  "/proc",
  "--unshare-all",
  process.execPath,
  "-v",
];
// The example makes /usr visible, and no other place where Node may be.
const isTried = process.execPath.startsWith("/usr/") && spawnSync("bwrap", NEEDS).status === 0;

describe("the bwrap of docs/security.md", { skip: !isTried && "bwrap, or Node in /usr, is not here" }, () => {
  test("runs a server that writes to its HOME, and sees no file of the host", async (t) => {
    const [home, tmp] = [await temporaryFolder(t), await temporaryFolder(t)];
    const { call } = boxed(t, "reaches-out", { wrapper, cwd: ROOT, env: { HOME: home, TMPDIR: tmp } });
    for (const folder of [home, tmp]) {
      assert.equal(await call("write", { path: join(folder, "file") }), "done ");
      assert.equal(await call("read", { path: join(folder, "file") }), "done written");
    }
    assert.equal(await call("read", { path: "/etc/passwd" }), "ENOENT");
    assert.equal(await call("write", { path: join(ROOT, "file") }), "EROFS");
    assert.match(await call("connect", { port: 1 }), /^E/);
  });
});
