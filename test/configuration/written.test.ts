import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { findServed } from "../../lib/cli/served.ts";
import { readSettings } from "../../lib/cli/settings.ts";
import { asWritten } from "../../lib/configuration/written.ts";
import { temporaryFolder } from "../support/files.ts";

test("an entry remembers how it was written, also under the options of the command", async (t) => {
  const config = join(await temporaryFolder(t), "mcp.json");
  const only = { command: "x", args: ["${A}"], env: { KEY: "${A}" } };
  await writeFile(config, JSON.stringify({ mcpServers: { only } }));
  for (const flags of [{ config }, { config, era: "legacy" }]) {
    const served = findServed([], readSettings(flags, {}), { A: "s3cret" });
    const entry = served?.config.mcpServers["only"];
    assert.ok(entry);
    assert.deepEqual([entry.args, entry.env], [["s3cret"], { KEY: "s3cret" }]);
    const { command, args, env, era } = asWritten(entry);
    assert.deepEqual({ command, args, env }, only);
    assert.equal(era, "era" in flags ? "legacy" : undefined);
    assert.doesNotMatch(JSON.stringify(entry), /\$\{A\}/);
  }
});
