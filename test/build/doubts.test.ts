import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { transform } from "esbuild";

import { doubtAbout } from "../../lib/build/doubts.ts";

const OTHER = { path: "node_modules/other/index.js", text: "export default 1" };

async function doubtIn(code: string, others = [OTHER]): Promise<string | undefined> {
  const { code: text } = await transform(code, { minifyWhitespace: true, legalComments: "none" });
  return doubtAbout([{ path: "node_modules/@scope/server/dist/index.js", text }, ...others], []);
}

describe("a package is not bundled if it", () => {
  const rows: readonly (readonly [doubt: string, code: string])[] = [
    ["require.cache", "delete require.cache[file]"],
    ["require.cache", "require.extensions['.ts'] = load"],
    ["require.main", "if (require.main === module) main()"],
    ["require.main", "process.mainModule.filename"],
    ["module.parent", "if (!module.parent) main()"],
    ["module.parent", "for (const path of module.paths) look(path)"],
    ["module.parent", "const load = module.require"],
    ["module.parent", "if (module.id === '.') main()"],
    ["the text of a function", "await page.evaluate(() => { const read = () => 1; return read(); })"],
    ["the text of a function", "await page.$$eval('a', (all) => all.length)"],
    ["the text of a function", "new Worker(`(${work})()`, { eval: true })"],
    ["Module._load", "import { register } from 'node:module'; register('./hooks.js')"],
    ["Module._load", "import { createRequire, registerHooks as on } from 'module'; on({})"],
    ["Module._load", "Module._load = patched"],
    ["Module._load", "module.registerHooks({})"],
    ["import() in a text", "const load = new Function('name', 'return import(name)')"],
    ["the name of its caller's file", "const caller = site.getFileName(); require(caller)"],
    ["import.meta", "import.meta.resolve('./other.js')"],
    ["import.meta", "const meta = import.meta"],
    ["createRequire", "import { createRequire } from 'module'; createRequire(import.meta.url)('./a.js')"],
    [
      "createRequire",
      "import { createRequire } from 'module'; const require = createRequire(import.meta.url); require('b')",
    ],
    [
      "createRequire",
      "import { createRequire } from 'module'; const load = createRequire(import.meta.url); load(name)",
    ],
    [
      "createRequire",
      "import { createRequire } from 'module'; const load = createRequire(import.meta.url); export { load }",
    ],
    ["createRequire", "import { createRequire as make } from 'module'; make(import.meta.url)('./a.js')"],
    ["createRequire", "const load = (0, module_1.createRequire)(file)"],
  ];
  for (const [doubt, code] of rows) {
    test(`uses ${doubt}: ${code}`, async () => {
      assert.equal(await doubtIn(code), `@scope/server uses ${doubt}`);
    });
  }
});

describe("a package may be bundled although it", () => {
  const rows: readonly (readonly [what: string, code: string])[] = [
    [
      "speaks of such things",
      "// require.main, import.meta.resolve()\n/* module.parent */ export const a = 1",
    ],
    ["asks where it is", "read(new URL('./data.txt', import.meta.url), import.meta.dirname, __dirname)"],
    [
      "reads its version",
      "import { createRequire } from 'module'; const require = createRequire(import.meta.url); require('../package.json').version",
    ],
    ["prints who called it, as depd does", "site.file = callSite.getFileName() || '<anonymous>'"],
    ["has members of such names", "options.module.parents = 1; a.createRequires(); evaluate(1)"],
  ];
  for (const [what, code] of rows) {
    test(what, async () => assert.equal(await doubtIn(code), undefined));
  }

  test("makes a require, if it is one file: there is nothing to find twice", async () => {
    const code = "import { createRequire as make } from 'module'; make(import.meta.url)(name)";
    assert.equal(await doubtIn(code, []), undefined);
  });
});

describe("what esbuild says of imports that it cannot see", () => {
  const warning = (file: string) => ({
    id: "unsupported-require-call",
    pluginName: "",
    text: "",
    notes: [],
    detail: undefined,
    location: { file, namespace: "", line: 1, column: 1, length: 1, lineText: "", suggestion: "" },
  });

  test("names the package", () => {
    const doubt = doubtAbout([OTHER, OTHER], [warning("node_modules/a/node_modules/b/index.js")]);
    assert.equal(doubt, "b imports by a computed name");
  });

  test("does not matter in the one place of Express that no server over stdio reaches", () => {
    assert.equal(doubtAbout([OTHER, OTHER], [warning("node_modules/express/lib/view.js")]), undefined);
  });
});
