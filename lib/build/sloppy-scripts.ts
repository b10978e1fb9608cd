import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Metafile, Plugin } from "esbuild";

import { packageOf } from "./doubts.ts";
import type { BundledFile } from "./doubts.ts";
import { isCommonJs, saysStrict, withoutHashbang } from "./module-places.ts";

/** A CommonJS file that runs in sloppy mode. */
export interface SloppyScript extends BundledFile {
  /** What it asks `require` for and the bundle holds, as it is written there. */
  readonly required: readonly string[];
}

/**
 * Which of the files run in sloppy mode: CommonJS files that do not say otherwise.
 * @param files of a bundle, as they come out of the package
 * @throws Error for one whose imports could not be put into the bundle
 */
export async function sloppyScripts(
  folder: string,
  files: readonly BundledFile[],
  { inputs }: Metafile,
): Promise<SloppyScript[]> {
  const scripts: SloppyScript[] = [];
  for (const { path, text } of files) {
    const { format, imports = [] } = inputs[path] ?? {};
    if (format === "esm" || !(await isSloppy(join(folder, path)))) continue;
    if (imports.some(isLateImport)) throw new Error(`${packageOf(path)} imports in a script of sloppy mode`);
    const asked = imports.filter(({ kind, external }) => kind === "require-call" && !external);
    const required = new Set(asked.map(({ original, path: found }) => original ?? found));
    scripts.push({ path, text, required: [...required] });
  }
  return scripts;
}

async function isSloppy(path: string): Promise<boolean> {
  if (!/\.c?js$/.test(path) || !(await isCommonJs(path))) return false;
  return !saysStrict(await readFile(path, "utf8"));
}

type Import = Metafile["inputs"][string]["imports"][number];

/** Node's own modules are found from everywhere. */
function isLateImport({ kind, path }: Import): boolean {
  return kind === "dynamic-import" && !path.startsWith("builtin:");
}

/**
 * Leaves to esbuild a file that calls the script, and asks for what the script asks for: all that esbuild writes is
 * strict, and nothing inside of strict code is sloppy.
 */
export function callsOf(folder: string, scripts: readonly SloppyScript[]): Plugin {
  const indexes = new Map(scripts.map(({ path }, index) => [join(folder, path), index]));
  return {
    name: "sloppy-scripts",
    setup(build) {
      build.onLoad({ filter: /\.c?js$/, namespace: "file" }, ({ path }) => {
        const index = indexes.get(path);
        const script = index === undefined ? undefined : scripts[index];
        return script && { contents: callOf(script, index), loader: "js" };
      });
    },
  };
}

function callOf({ path, required }: SloppyScript, index = 0): string {
  const cases = required
    .map((name) => JSON.stringify(name))
    .map((name) => `case ${name}:return require(${name});`);
  const place = JSON.stringify(path);
  return `const own=(name)=>{switch(name){${cases.join("")}default:return require(name)}};
__mayfly.scripts[${index}].call(exports,exports,own,module,__mayfly.filename(${place}),__mayfly.dirname(${place}));`;
}

/** The scripts as Node runs them: each is the body of a function. */
export function functionsOf(scripts: readonly SloppyScript[]): string {
  const bodies = scripts.map(({ text }) => withoutHashbang(text));
  return bodies.map((body) => `function(exports,require,module,__filename,__dirname){${body}\n}`).join(",");
}
