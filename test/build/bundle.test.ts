import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import * as esbuild from "esbuild";

import { bundle } from "../../lib/build/bundle.ts";
import type { Candidate } from "../../lib/build/bundle.ts";
import { temporaryFolder } from "../support/files.ts";

const MANIFEST = { name: "server", version: "1.2.3", type: "module", license: "MIT" };
const INSTALLED = { name: "server", version: "1.2.3", skippedScripts: [] };

type Files = Readonly<Record<string, string>>;

/** A folder of a server, with packages in its node_modules. */
async function installed(t: TestContext, files: Files): Promise<string> {
  const folder = await temporaryFolder(t);
  const all = { "server/package.json": JSON.stringify(MANIFEST), ...files };
  for (const [name, text] of Object.entries(all)) {
    const path = join(folder, "node_modules", name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  await writeFile(join(folder, "package.json"), "{}");
  return folder;
}

function entryIn(folder: string): string {
  return join(folder, "node_modules", "server", "index.js");
}

async function bundled(folder: string): Promise<Candidate> {
  return bundle(esbuild, folder, { ...INSTALLED, entry: join("node_modules", "server", "index.js") });
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
}

function run(folder: string, ...words: readonly string[]): Ran & { readonly stderr: string } {
  return spawnSync(process.execPath, words, { cwd: folder, encoding: "utf8", timeout: 20_000 });
}

/** Runs both, and gives what both of them did. */
async function sameOf(t: TestContext, files: Files): Promise<Ran> {
  const folder = await installed(t, files);
  const [status, stdout] = [run(folder, entryIn(folder), "a b"), await bundled(folder)]
    .map((it) => ("start" in it ? run(folder, it.start, "a b") : it))
    .map(({ status, stdout }) => [status, stdout] as const)
    .reduce((one, other) => {
      assert.deepEqual(other, one);
      return one;
    });
  return { status, stdout };
}

const PRINT = "const print = (value) => process.stdout.write(JSON.stringify(value));\n";

describe("a bundle does what the package does:", () => {
  test("it knows where its modules are, and reads the files beside them", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}import { readFileSync } from "node:fs";
        import inner from "inner";
        const text = readFileSync(new URL("./data.txt", import.meta.url), "utf8");
        print([text, import.meta.url, import.meta.dirname, import.meta.filename, inner, process.argv.slice(1)]);`,
      "server/data.txt": "the data",
      "inner/package.json": JSON.stringify({ name: "inner", version: "1.0.0", license: "MIT" }),
      "inner/index.js": `"use strict"; module.exports = [__dirname, __filename, (function () { return this === undefined; })()];`,
    });
    assert.match(stdout, /the data.*node_modules\/inner\/index\.js",true/);
  });

  test("texts and variables that look like those places stay as they are", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}const __dirname = "mine"; print(["import.meta.url", __dirname, typeof __filename]);`,
    });
    assert.equal(stdout, '["import.meta.url","mine","undefined"]');
  });

  test("functions and classes of the same name keep it", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}import { Fault as Other } from "./other.js";
        class Fault extends Error {} print([new Other().constructor.name, new Fault().constructor.name]);`,
      "server/other.js": "export class Fault extends Error {}",
    });
    assert.equal(stdout, '["Fault","Fault"]');
  });

  test("it waits at the top level, and imports when it needs to", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}const { value } = await import("./late.js"); print(value);`,
      "server/late.js": "export const value = await Promise.resolve(7);",
    });
    assert.equal(stdout, "7");
  });

  test("a module that says it has no effects, and has one, has it", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}import "inner"; print(globalThis.told);`,
      "inner/package.json": JSON.stringify({
        name: "inner",
        version: "1.0.0",
        license: "MIT",
        sideEffects: false,
      }),
      "inner/index.js": "globalThis.told = true;",
    });
    assert.equal(stdout, "true");
  });

  test("a package that may come later is not looked for", async (t) => {
    const folder = await installed(t, {
      "server/index.js": `await import("not-there").catch(() => undefined);`,
    });
    await assert.rejects(bundled(folder), { message: "it may import not-there, which is not installed" });
  });

  test("an optional package that is missing is missed the same way", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/package.json": JSON.stringify({ ...MANIFEST, type: "commonjs" }),
      "server/index.js": `${PRINT}let found; try { found = require("not-there"); } catch (error) { found = error.code; } print(found);`,
    });
    assert.equal(stdout, '"MODULE_NOT_FOUND"');
  });

  test("the condition of an import and of a require each finds its file", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}import kind from "inner"; import other from "./other.cjs"; print([kind, other]);`,
      "server/other.cjs": `module.exports = require("inner");`,
      "inner/package.json": JSON.stringify({
        ...{ name: "inner", version: "1.0.0", license: "MIT", module: "./bundler.js" },
        exports: { module: "./bundler.js", import: "./import.mjs", require: "./require.cjs" },
      }),
      "inner/bundler.js": `export default "bundler";`,
      "inner/import.mjs": `export default "import";`,
      "inner/require.cjs": `module.exports = "require";`,
    });
    assert.equal(stdout, '["import","require"]');
  });

  test("an error at the start is the same exit", async (t) => {
    assert.equal((await sameOf(t, { "server/index.js": `throw new Error("no key");` })).status, 1);
    assert.equal((await sameOf(t, { "server/index.js": `await 0; throw new Error("no key");` })).status, 1);
    assert.equal((await sameOf(t, { "server/index.js": `process.exitCode = 3;` })).status, 3);
  });
});

/** What strict mode changes, as a list. A script that throws in it has thrown. */
const MODE = `[
  (function () { return this === undefined; })(),
  (function (one) { one = 2; return arguments[0]; })(1),
  tried(() => { Object.freeze([1]).length = 0; }),
  tried(() => { delete Object.freeze({ a: 1 }).a; }),
  tried(() => { undeclared = 1; delete globalThis.undeclared; }),
]`;
const TRIED = `const tried = (work) => { try { work(); return "done"; } catch (error) { return error.name; } };\n`;
const STRICT = [true, 1, "TypeError", "TypeError", "ReferenceError"];
const SLOPPY = [false, 2, "done", "done", "done"];

describe("in a bundle each module runs in the mode that it has in the package:", () => {
  test("an ES module in strict mode", async (t) => {
    const { stdout } = await sameOf(t, { "server/index.js": `${PRINT}${TRIED}print(${MODE});` });
    assert.deepEqual(JSON.parse(stdout), STRICT);
  });

  test("a script in sloppy mode, one that says so in strict mode, and ES modules beside them", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}${TRIED}import sloppy from "./sloppy.cjs"; import strict from "./strict.cjs";
        print([${MODE}, sloppy, strict]);`,
      "server/sloppy.cjs": `${TRIED}module.exports = ${MODE}`,
      "server/strict.cjs": `// A comment before it.\n"use strict"; ${TRIED}module.exports = ${MODE};`,
    });
    assert.deepEqual(JSON.parse(stdout), [STRICT, SLOPPY, STRICT]);
  });

  test("a script that is the program itself", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/package.json": JSON.stringify({ ...MANIFEST, type: "commonjs" }),
      "server/index.js": `#!/usr/bin/env node\n${PRINT}${TRIED}print([${MODE}, this === module.exports, __dirname, __filename]);`,
    });
    assert.match(stdout, /^\[\[false,2,.*\],true,".*server","/);
  });

  test("a script has all that scripts have: what it asks for, its place, its `this`, early returns", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}import first, { late } from "./first.cjs"; print([first, late()]);`,
      "server/first.cjs": `#!/usr/bin/env node
        exports.early = 1;
        var second = require("./second.cjs"), data = require("./data.json"), path = require("path");
        try { require("not-there"); } catch (error) { exports.missing = error.code; }
        { function inBlock() { return "hoisted"; } }
        this.own = [second.seen, data, path.sep, __dirname, __filename, inBlock(), 010, "\\07"];
        exports.late = function () { return second.late(); };
        if (second) return; // the rest is not reached
        exports.never = 1;`,
      "server/second.cjs": `var first = require("./first.cjs");
        exports.seen = Object.keys(first);
        exports.late = () => [Object.keys(first), first === require("./first.cjs")];`,
      "server/data.json": `{"some":"data"}`,
    });
    assert.match(stdout, /"MODULE_NOT_FOUND".*"early".*"hoisted",8.*true\]/);
  });

  test("a script may wait for one of Node's own modules", async (t) => {
    const { stdout } = await sameOf(t, {
      "server/index.js": `${PRINT}import sloppy from "./sloppy.cjs"; print(await sloppy());`,
      "server/sloppy.cjs": `module.exports = async () => (await import("node:path")).sep;`,
    });
    assert.equal(stdout, '"/"');
  });
});

/** As TypeScript writes it. Who imports it in Node has all of it as its default, and in esbuild its `default`. */
const STANDS_FOR_MODULE = `"use strict";
  Object.defineProperty(exports, "__esModule", { value: true }); exports.default = () => 1;`;

test("a script that stands for an ES module is the same to an ES module of a package that says so", async (t) => {
  const { stdout } = await sameOf(t, {
    "server/index.js": `${PRINT}import other from "./other.cjs"; print(Object.keys(other));`,
    "server/other.cjs": STANDS_FOR_MODULE,
  });
  assert.equal(stdout, '["default"]');
});

describe("a bundle is refused", () => {
  const rows: readonly (readonly [reason: RegExp, files: Files])[] = [
    [
      /^server uses import\(\) of a computed name$/,
      { "server/index.js": `await import(process.argv[2]); import "./b.js";`, "server/b.js": "1;" },
    ],
    [
      /^inner uses require\.main$/,
      {
        "server/index.js": `import "inner";`,
        "inner/index.js": "if (require.main === module) run();",
        "inner/package.json": "{}",
      },
    ],
    [
      /^esbuild: No loader is configured for "\.node" files/,
      { "server/index.js": `import "./addon.node";`, "server/addon.node": "" },
    ],
    [
      /^inner imports a script that stands for an ES module$/,
      {
        "server/index.js": `import { kind } from "inner"; console.log(kind);`,
        "inner/package.json": JSON.stringify({ name: "inner", version: "1.0.0", license: "MIT" }),
        "inner/index.js": `import other from "./other.cjs"; export const kind = typeof other;`,
        "inner/other.cjs": STANDS_FOR_MODULE,
      },
    ],
    [
      /^inner imports a script that stands for an ES module$/,
      {
        "server/index.js": `import inner from "inner"; inner();`,
        "inner/package.json": JSON.stringify({ name: "inner", version: "1.0.0", license: "MIT" }),
        "inner/index.js": `"use strict"; module.exports = async () => (await import("./other.cjs")).default;`,
        "inner/other.cjs": STANDS_FOR_MODULE,
      },
    ],
    [
      /^server imports in a script of sloppy mode$/,
      {
        "server/index.js": `import "./sloppy.cjs";`,
        "server/sloppy.cjs": `exports.late = () => import("./late.js");`,
        "server/late.js": "1;",
      },
    ],
    [/^esbuild: Could not resolve "gone"/, { "server/index.js": `import "gone";` }],
  ];
  for (const [reason, files] of rows) {
    test(`as ${reason.source}`, async (t) => {
      const folder = await installed(t, files);
      await assert.rejects(bundled(folder), { message: reason });
      assert.deepEqual(await readdir(folder), ["node_modules", "package.json"], "nothing is left of it");
    });
  }
});

describe("the code cache of a bundle", () => {
  const CODE = `${PRINT}export const used = () => 41; print(used() + 1);`;

  async function cached(t: TestContext): Promise<{ folder: string; start: string; cache: string }> {
    const folder = await installed(t, { "server/index.js": CODE });
    const candidate = await bundled(folder);
    assert.equal(run(folder, "--random-seed=1", candidate.cacheMaker).stdout, "42");
    await candidate.keep();
    const files = await readdir(join(folder, "bundle"));
    const name = files.find((file) => file.endsWith(".cache")) ?? "";
    assert.equal(name, `code-${process.versions.v8}-${process.arch}.cache`);
    assert.ok(!files.includes("make-cache.cjs"));
    return { folder, start: join(folder, "bundle", "start.cjs"), cache: join(folder, "bundle", name) };
  }

  /** As V8 sees it. */
  function isUsed(folder: string, start: string): boolean {
    const ask = `console.error(require(process.argv[1]).script.cachedDataRejected)`;
    return run(folder, "-e", ask, start).stderr.includes("false");
  }

  test("is used, and is the same each time it is made", async (t) => {
    const [one, other] = [await cached(t), await cached(t)];
    assert.ok(isUsed(one.folder, one.start));
    assert.deepEqual(await readFile(one.cache), await readFile(other.cache));
  });

  test("of another V8, or a broken one, is ignored", async (t) => {
    const { folder, start, cache } = await cached(t);
    for (const content of ["", "nonsense", Buffer.alloc(4096)]) {
      await writeFile(cache, content);
      const { status, stdout } = run(folder, start);
      assert.deepEqual([status, stdout], [0, "42"]);
    }
  });

  test("is not written again where nothing can be", async (t) => {
    const { folder, start } = await cached(t);
    await chmod(join(folder, "bundle"), 0o555);
    assert.equal(run(folder, start).stdout, "42");
  });
});

test("the licences of what is inside go along", async (t) => {
  const folder = await installed(t, {
    "server/index.js": `import "inner"; globalThis.server = 1;`,
    "inner/package.json": JSON.stringify({ name: "inner", version: "2.0.0", license: "ISC" }),
    "inner/index.js": "globalThis.inner = 1;",
    "inner/LICENSE": "Inner may be used.",
    "unused/package.json": JSON.stringify({ name: "unused", version: "3.0.0", license: "ISC" }),
  });
  const { start } = await bundled(folder);
  const text = await readFile(join(dirname(start), "THIRD-PARTY-LICENSES.txt"), "utf8");
  assert.match(
    text,
    /inner 2\.0\.0\n\nLicence: ISC\n\nInner may be used\.[^]*server 1\.2\.3\n\nLicence: MIT/,
  );
  assert.doesNotMatch(text, /unused/);
});
