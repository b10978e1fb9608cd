import assert from "node:assert/strict";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { ROOT } from "../support/documents.ts";
import { temporaryFolder } from "../support/files.ts";
import { buildFunction, staticFiles } from "../vercel/build.ts";
import { read } from "./support/examples.ts";

const EXAMPLE = "examples/vercel";

test("the project for Vercel has the settings of this repository, and the command of the package", async () => {
  const [own, example] = await Promise.all(
    ["vercel.json", `${EXAMPLE}/vercel.json`].map(async (file) => JSON.parse(await read(file)) as object),
  );
  assert.deepEqual(example, { ...own, buildCommand: "mayfly build" });
});

test("the project for Vercel builds, with the package as npm installs it", async (t) => {
  const [project, output] = [await temporaryFolder(t), await temporaryFolder(t)];
  await cp(join(ROOT, EXAMPLE), project, { recursive: true });
  await installPackage(project);
  // As its build command leaves it.
  await mkdir(join(project, "public"));
  await writeFile(join(project, "public", "index.html"), "");
  const { files, settings } = await buildFunction(project, output);
  assert.deepEqual(
    files.filter((file) => !file.endsWith(".map")),
    [
      "api/mcp.js",
      "mcp.json",
      "node_modules/mcp-mayfly/dist/bundle/vercel.js",
      "node_modules/mcp-mayfly/package.json",
      "package.json",
    ],
  );
  assert.equal(settings.runtime, "nodejs24.x");
  assert.deepEqual(await staticFiles(project), ["index.html"]);
});

async function installPackage(project: string): Promise<void> {
  const folder = join(project, "node_modules", "mcp-mayfly");
  await mkdir(folder, { recursive: true });
  await cp(join(ROOT, "package.json"), join(folder, "package.json"));
  await cp(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
}
