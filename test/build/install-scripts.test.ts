import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { npm } from "../../lib/build/npm.ts";
import { temporaryFolder } from "../support/files.ts";

/** A folder whose one dependency is a package beside it, which leaves a file when its installation runs a program. */
async function withScript(t: TestContext): Promise<{ folder: string; trace: string }> {
  const root = await temporaryFolder(t);
  const [folder, packed, trace] = [join(root, "server"), join(root, "packed"), join(root, "trace")];
  for (const place of [folder, packed]) await mkdir(place);
  const postinstall = `node -e "require('fs').writeFileSync(process.env.TRACE_FILE, '')"`;
  await writeFile(
    join(packed, "package.json"),
    JSON.stringify({ name: "packed", version: "1.0.0", scripts: { postinstall } }),
  );
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ dependencies: { packed: "file:../packed" } }),
  );
  return { folder, trace };
}

describe("programs of packages", { concurrency: false }, () => {
  for (const runScripts of [false, true]) {
    test(`${runScripts ? "run when they may" : "do not run"} while they are installed`, async (t) => {
      const { folder, trace } = await withScript(t);
      process.env["TRACE_FILE"] = trace;
      t.after(() => delete process.env["TRACE_FILE"]);
      await npm({ verb: "install", folder, runScripts });
      assert.deepEqual(
        [existsSync(join(folder, "node_modules", "packed")), existsSync(trace)],
        [true, runScripts],
      );
    });
  }
});

test("the reason why npm failed is one line", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "package.json"), JSON.stringify({ dependencies: { it: "file:./not-there" } }));
  await assert.rejects(npm({ verb: "ci", folder, runScripts: false }), {
    message: "the lock file does not fit: remove package-lock.json beside it to resolve anew (EUSAGE)",
  });
});
