import { join } from "node:path";

import type { Metafile } from "esbuild";

import { packageOf } from "./doubts.ts";
import type { BundledFile } from "./doubts.ts";
import { isCommonJs } from "./module-places.ts";

/**
 * Why imports of scripts might give something else in a bundle; undefined if they do not. Of a script with `__esModule`
 * esbuild gives its `default`, and Node all of it, unless the file that imports says by its ending or its package that
 * it is an ES module.
 */
export async function otherDefault(
  folder: string,
  files: readonly BundledFile[],
  { inputs }: Metafile,
): Promise<string | undefined> {
  const marked = files.filter(({ path, text }) => inputs[path]?.format === "cjs" && MARK.test(text));
  const paths = new Set(marked.map(({ path }) => path));
  for (const { path } of files) {
    const isMarked = inputs[path]?.imports.some((one) => one.kind !== "require-call" && paths.has(one.path));
    if (!isMarked || !(await isCommonJs(join(folder, path)))) continue;
    return `${packageOf(path)} imports a script that stands for an ES module`;
  }
  return undefined;
}

const MARK = /\b__esModule\b/;
