import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join, relative, sep } from "node:path";

import type { Plugin } from "esbuild";

/**
 * What stands in a bundle for the place of a module. esbuild puts these names where the code means Node's, and not
 * where the same letters stand in a text or name a variable of the module's own.
 */
export const PLACE_NAMES = {
  "import.meta.url": "__mayfly_url",
  "import.meta.dirname": "__mayfly_dirname",
  "import.meta.filename": "__mayfly_filename",
  __dirname: "__mayfly_cjs_dirname",
  __filename: "__mayfly_cjs_filename",
} as const;

const IN_MODULES =
  "const __mayfly_url=__mayfly.url(PLACE),__mayfly_dirname=__mayfly.dirname(PLACE),__mayfly_filename=__mayfly.filename(PLACE);";
const IN_COMMON_JS =
  "var __mayfly_cjs_dirname=__mayfly.dirname(PLACE),__mayfly_cjs_filename=__mayfly.filename(PLACE);";

/** A statement before the directive would end its effect. */
const USE_STRICT = /^(?:\s|\/\/.*|\/\*[^]*?\*\/)*["']use strict["']/;

/** Whether the code of a CommonJS file begins with the directive for strict mode. */
export function saysStrict(code: string): boolean {
  return USE_STRICT.test(withoutHashbang(code));
}

export function withoutHashbang(code: string): string {
  return code.replace(/^#!.*/, "");
}

/** Modules of a bundle are told where they were installed: they find the files beside them, which are all still there. */
export function modulePlaces(folder: string): Plugin {
  return {
    name: "module-places",
    setup(build) {
      build.onLoad({ filter: /\.[cm]?js$/, namespace: "file" }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        const place = relative(folder, path).split(sep).join("/");
        return { contents: withPlace(text, place, await isCommonJs(path)), loader: "js" };
      });
    },
  };
}

function withPlace(text: string, place: string, commonJs: boolean): string {
  const code = withoutHashbang(text);
  if (!/\bimport\.meta\b|\b__(?:dir|file)name\b/.test(code)) return code;
  const names = (commonJs ? IN_COMMON_JS : IN_MODULES).replaceAll("PLACE", JSON.stringify(place));
  return commonJs && saysStrict(code) ? `"use strict";${names}${code}` : names + code;
}

/** Node's rule for files that both kinds may be in. Source: Node.js documentation, Packages, Determining module system. */
export async function isCommonJs(path: string): Promise<boolean> {
  if (/\.[cm]js$/.test(path)) return path.endsWith(".cjs");
  return (await typeAbove(dirname(path))) !== "module";
}

async function typeAbove(folder: string): Promise<unknown> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
  if (text !== undefined) return (JSON.parse(text) as { type?: unknown }).type;
  return dirname(folder) === folder ? undefined : typeAbove(dirname(folder));
}

/** Node's own modules are asked for when the code runs, by a function: a script has no imports. */
export const nodeModules: Plugin = {
  name: "node-modules",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path }) =>
      isBuiltin(path) ? { path, namespace: "builtin" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports=__mayfly.builtin(${JSON.stringify(path)})`,
      loader: "js",
    }));
  },
};
