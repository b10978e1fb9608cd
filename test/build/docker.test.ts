import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { writeDocker } from "../../lib/build/docker.ts";
import { temporaryFolder } from "../support/files.ts";
import { filesBelow } from "./project.ts";

/** A project with a built server, and one that needs no package. */
async function builtProject(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const files = { "memory/package.json": "{}", "memory/package-lock.json": "{}", "own/package.json": "{}" };
  for (const [name, text] of Object.entries({ ...files, "memory/node_modules/it/index.js": "" })) {
    await mkdir(join(folder, "servers", name, ".."), { recursive: true });
    await writeFile(join(folder, "servers", name), text);
  }
  await writeFile(join(folder, "mcp.json"), "as written ${TOKEN}");
  return folder;
}

const OPTIONS = { mcpServers: { memory: { command: "npx" }, own: { command: "node" } } };

describe("the context of an image", () => {
  test("holds the configuration as it is written, and lock files in place of packages", async (t) => {
    const folder = await builtProject(t);
    const to = join(folder, "docker");
    const sources = { out: join(folder, "servers"), options: OPTIONS, file: join(folder, "mcp.json") };
    await writeDocker(to, sources);
    assert.deepEqual(await filesBelow(to), [
      ".dockerignore",
      ".mayfly-build",
      "Dockerfile",
      "mcp.json",
      "package.json",
      "servers/memory/package-lock.json",
      "servers/memory/package.json",
    ]);
    assert.equal(await readFile(join(to, "mcp.json"), "utf8"), "as written ${TOKEN}");
    const dockerfile = await readFile(join(to, "Dockerfile"), "utf8");
    assert.match(dockerfile, /^COPY mcp\.json \.\/$/m);
    assert.match(dockerfile, /^USER 1000:1000$/m);
    const { dependencies } = JSON.parse(await readFile(join(to, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const own = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as object;
    assert.deepEqual(dependencies, { "mcp-mayfly": (own as { version: string }).version });
    await writeDocker(to, sources);
    assert.equal((await filesBelow(to)).length, 7, "and is written again");
  });

  test("asks for the configuration where it stands in a variable", async (t) => {
    const folder = await builtProject(t);
    const to = join(folder, "docker");
    await writeDocker(to, { out: join(folder, "servers"), options: OPTIONS, file: undefined });
    assert.match(await readFile(join(to, "Dockerfile"), "utf8"), /^ARG MCP_SERVER_CONFIG$/m);
    assert.ok(!(await filesBelow(to)).includes("mcp.json"));
  });

  test("builds in the image as was asked for here", async (t) => {
    const folder = await builtProject(t);
    const to = join(folder, "docker");
    const sources = { out: join(folder, "servers"), options: OPTIONS, file: join(folder, "mcp.json") };
    await writeDocker(to, sources, ["--no-bundle", "--run-scripts"]);
    const dockerfile = await readFile(join(to, "Dockerfile"), "utf8");
    assert.match(dockerfile, / npx mayfly build --no-bundle --run-scripts && rm -r public$/m);
  });

  test("is not written over what somebody else put there", async (t) => {
    const folder = await builtProject(t);
    const sources = { out: join(folder, "servers"), options: OPTIONS, file: undefined };
    const message = /--target-out: .* holds files that mayfly build did not make/;
    await assert.rejects(writeDocker(join(folder, "servers"), sources), message);
    assert.equal((await filesBelow(join(folder, "servers"))).length, 4);
  });
});
