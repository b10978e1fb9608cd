import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";

import * as esbuild from "esbuild";

import { buildServer } from "../../lib/build/build-server.ts";
import type { ServerReport } from "../../lib/build/report.ts";
import { fetcherOf, subjectOf } from "../../lib/build/subject.ts";
import type { BuildContext } from "../../lib/build/subject.ts";
import type { ServerConfig } from "../../lib/configuration/options.ts";
import { withWritten } from "../../lib/configuration/written.ts";
import type { WrittenConfig } from "../../lib/configuration/written.ts";
import { testToken } from "../support/fixture.ts";
import { temporaryFolder } from "../support/files.ts";
import { waitUntilGone } from "../support/processes.ts";

/** A server with one tool, whose description is that expression. */
const SERVER = (description: string): string => `import { createInterface } from "node:readline";
const tools = [{ name: "tool", description: String(${description}), inputSchema: { type: "object" } }];
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  const serverInfo = { name: "made-up", version: "1.0.0" };
  const initialized = { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo };
  const result = { initialize: initialized, "tools/list": { tools } }[method];
  const error = { code: -32601, message: "Method not found" };
  if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, ...(result ? { result } : { error }) }));
}
`;

interface Made {
  readonly code: string;
  readonly config?: Partial<ServerConfig>;
  /** How the operator wrote it. */
  readonly written?: WrittenConfig;
  readonly context?: Partial<BuildContext>;
}

/** Builds a server as if npm had installed it. */
async function built(t: TestContext, { code, config, written, context }: Made): Promise<ServerReport> {
  const base = await temporaryFolder(t);
  const place = join(base, "servers", "it", "node_modules", "made-up");
  await mkdir(place, { recursive: true });
  await writeFile(join(base, "servers", "it", "package.json"), "{}");
  const manifest = { name: "made-up", version: "1.0.0", type: "module", bin: "index.js", license: "MIT" };
  await writeFile(join(place, "package.json"), JSON.stringify(manifest));
  await writeFile(join(place, "index.js"), code);
  const token = testToken();
  const it = { command: "npx", args: ["-y", "made-up", token], ...config };
  const options = { mcpServers: { it: written ? withWritten(it, written) : it }, baseDirectory: base };
  const all = {
    out: join(base, "servers"),
    options,
    runScripts: false,
    bundles: true,
    snapshots: true,
    esbuild,
  };
  const installed = { name: "made-up", version: "1.0.0", entry: join("node_modules", "made-up", "index.js") };
  const whole: BuildContext = { ...all, ...context };
  const report = await buildServer(subjectOf("it", { ...installed, skippedScripts: [] }, whole), whole);
  await waitUntilGone(token);
  assert.equal(existsSync(join(base, "servers", "it", "snapshot.json")), report.snapshot);
  assert.equal(existsSync(join(base, "servers", "it", "bundle")), report.bundled);
  assert.ok(!existsSync(join(base, "servers", "it", "bundle~")), "nothing is left of what was tried");
  return report;
}

describe("a server is told to have", () => {
  before(() => (process.env["VERDICTS_SECRET"] = "secret-value"));
  after(() => delete process.env["VERDICTS_SECRET"]);
  const rows: readonly (readonly [what: string, made: Made, notes: readonly string[]])[] = [
    [
      "no bundle if that answers something else",
      { code: SERVER("new Error().stack.includes('made-up')") },
      ["not bundled: the bundle answers something else"],
    ],
    [
      "no snapshot if its answers change",
      { code: SERVER("Math.random()") },
      [
        "not bundled: the bundle answers something else",
        "no snapshot: its answers change from one start to the next",
      ],
    ],
    [
      "no snapshot if its answers hold a value of its environment",
      {
        code: SERVER("process.env.TOKEN"),
        config: { env: { TOKEN: "secret-value" } },
        context: { bundles: false },
      },
      ["not bundled: --no-bundle", "no snapshot: its answers hold the value of TOKEN"],
    ],
    [
      "no snapshot if its answers hold what a variable of the host filled in",
      {
        code: SERVER("process.env.TOKEN"),
        config: { env: { TOKEN: "secret-value" } },
        written: { env: { TOKEN: "${VERDICTS_SECRET}" } },
        context: { bundles: false },
      },
      ["not bundled: --no-bundle", "no snapshot: its answers hold the value of VERDICTS_SECRET"],
    ],
    [
      "neither if it does not start",
      { code: "process.exit(3);" },
      [
        'no snapshot: it does not start here: The server "it" ended with exit code 3 before it answered initialize',
      ],
    ],
    [
      "no bundle without esbuild, and a snapshot all the same",
      { code: SERVER("1"), context: { esbuild: undefined } },
      ["not bundled: esbuild is missing"],
    ],
    [
      "no bundle that it may not read",
      { code: SERVER("1"), config: { permissions: {} } },
      ["not bundled: its permissions are for the files of its package"],
    ],
  ];
  for (const [what, made, notes] of rows) {
    test(what, async (t) => {
      const report = await built(t, made);
      assert.deepEqual(report.notes, notes);
      assert.equal(report.bundled, false);
    });
  }

  test("a bundle if that takes less time, and else none", async (t) => {
    const { bundled, notes, startBeforeMs = 0, startAfterMs } = await built(t, { code: SERVER("1") });
    assert.ok(startBeforeMs > 0);
    if (bundled) assert.ok(startAfterMs !== undefined && startAfterMs < 0.9 * startBeforeMs);
    else assert.deepEqual(notes, ["not bundled: the bundle is not faster"]);
  });

  test("a package that is fetched later, where mayfly build has not installed it", async (t) => {
    const out = join(await temporaryFolder(t), "servers");
    const commands = {
      python: { command: "uvx", args: ["some-server"] },
      own: { command: "no-such-program" },
    };
    const context: BuildContext = {
      ...{ out, options: { mcpServers: commands, passEnv: [] }, runScripts: false },
      ...{ bundles: true, snapshots: true, esbuild },
    };
    const notes = async (name: keyof typeof commands): Promise<readonly string[]> => {
      await mkdir(join(out, name), { recursive: true });
      return (await buildServer(subjectOf(name, undefined, context), context)).notes;
    };
    const [fetched, own] = await Promise.all([notes("python"), notes("own")]);
    assert.equal(fetched[0], "uvx fetches it when it is called");
    assert.doesNotMatch(own.join(), /fetches/);
    const inside = { command: "uvx", wrapper: ["docker", "run", "-i", "some-image"] };
    assert.equal(fetcherOf("inside", { mcpServers: { inside } }), undefined, "the image has the program");
  });
});
