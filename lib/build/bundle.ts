import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";

import type * as EsbuildModule from "esbuild";
import type { BuildFailure, BuildOptions, BuildResult, Metafile, Plugin } from "esbuild";

import { BUNDLE } from "../resolve.ts";
import { TELLING, doubtAbout, filesIn } from "./doubts.ts";
import type { BundledFile } from "./doubts.ts";
import type { Installed } from "./install.ts";
import { otherDefault } from "./interop.ts";
import { licencesOf } from "./licences.ts";
import { PLACE_NAMES, modulePlaces, nodeModules } from "./module-places.ts";
import { callsOf, functionsOf, sloppyScripts } from "./sloppy-scripts.ts";
import type { SloppyScript } from "./sloppy-scripts.ts";
import { CACHE_MAKER, SERVER_FILE, cacheMaker, serverFile, startFile } from "./start-file.ts";

export type Esbuild = typeof EsbuildModule;

/** A bundle that nobody starts yet. */
export interface Candidate {
  /** The program to start in place of the package's own. */
  readonly start: string;
  /** The same, which also writes the code cache. */
  readonly cacheMaker: string;
  /** Makes it the one that is started. */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

/** esbuild is optional: it is a program for one system, and a server runs without it. */
export async function loadEsbuild(): Promise<Esbuild | undefined> {
  try {
    return await import("esbuild");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/**
 * Puts a server and all that it imports into one file beside its package.
 * @param folder of the server, as an absolute path without links
 * @throws Error whose message says why there can be no bundle that surely does the same
 */
export async function bundle(
  esbuild: Esbuild,
  folder: string,
  { name, version, entry = "" }: Installed,
): Promise<Candidate> {
  const place = entry.split(sep).join("/");
  const options = optionsFor(folder, place);
  const result = await esbuild.build(options).catch(refused);
  const files = filesIn(result.metafile).filter((path) => !/^(?:builtin:|<)/.test(path));
  const texts = await textsOf(esbuild, folder, files);
  await refuseDoubtful(folder, texts, result);
  const scripts = await sloppyScripts(folder, texts, result.metafile);
  const { outputFiles } = scripts.length > 0 ? await esbuild.build(calling(scripts, options)) : result;
  const { text } = licencesOf(files.map((path) => join(folder, path)));
  return write(folder, {
    [SERVER_FILE]: serverFile(outputFiles[0]?.text ?? "", functionsOf(scripts)),
    [BUNDLE.start]: startFile(place),
    [BUNDLE.manifest]: `${JSON.stringify({ name, version })}\n`,
    [CACHE_MAKER]: cacheMaker(place),
    "THIRD-PARTY-LICENSES.txt": text,
  });
}

type Options = BuildOptions & {
  readonly absWorkingDir: string;
  readonly plugins: Plugin[];
  readonly metafile: true;
  readonly write: false;
};

/** Each one that is not about size keeps what the code can see of itself as it is: names, order, conditions. */
function optionsFor(folder: string, entry: string): Options {
  return {
    absWorkingDir: folder,
    // An import for its effects: a script has nothing to export.
    stdin: { contents: `import ${JSON.stringify(`./${entry}`)}`, resolveDir: folder },
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    ignoreAnnotations: true,
    legalComments: "none",
    mainFields: ["main"],
    conditions: ["node-addons", "module-sync"],
    define: PLACE_NAMES,
    plugins: [nodeModules, modulePlaces(folder)],
    logLevel: "silent",
    logOverride: Object.fromEntries(TELLING.map((id) => [id, "warning"])),
  };
}

/** The same bundle, from which the scripts of sloppy mode are called. */
function calling(scripts: readonly SloppyScript[], options: Options): Options {
  return { ...options, plugins: [callsOf(options.absWorkingDir, scripts), ...options.plugins] };
}

/** @throws Error whose message is the reason */
async function refuseDoubtful(
  folder: string,
  texts: readonly BundledFile[],
  { metafile, warnings }: BuildResult<Options>,
): Promise<void> {
  const doubt =
    missingImport(metafile) ?? doubtAbout(texts, warnings) ?? (await otherDefault(folder, texts, metafile));
  if (doubt !== undefined) throw new Error(doubt);
}

/** A package that is looked for in the middle of the work would be looked for from another place. */
function missingImport({ outputs }: Metafile): string | undefined {
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const missing = imports.find(({ kind }) => kind === "dynamic-import");
  return missing && `it may import ${missing.path}, which is not installed`;
}

function refused(error: unknown): never {
  const [first] = (error as Partial<BuildFailure>).errors ?? [];
  if (!first) throw error;
  throw new Error(`esbuild: ${first.text}`, { cause: error });
}

/** Comments name many things that no code does. What is no JavaScript has none. */
async function textsOf(esbuild: Esbuild, folder: string, files: readonly string[]): Promise<BundledFile[]> {
  const strip = async (path: string): Promise<BundledFile> => {
    const text = await readFile(join(folder, path), "utf8");
    if (!/\.[cm]?js$/.test(path)) return { path, text: "" };
    const { code } = await esbuild.transform(text, { minifyWhitespace: true, legalComments: "none" });
    return { path, text: code };
  };
  return Promise.all(files.map(strip));
}

async function write(folder: string, contents: Readonly<Record<string, string>>): Promise<Candidate> {
  const beside = join(folder, `${BUNDLE.folder}~`);
  await mkdir(beside);
  for (const [name, text] of Object.entries(contents)) await writeFile(join(beside, name), text);
  const discard = (): Promise<void> => rm(beside, { recursive: true });
  return {
    start: join(beside, BUNDLE.start),
    cacheMaker: join(beside, CACHE_MAKER),
    discard,
    keep: async () => {
      await rm(join(beside, CACHE_MAKER));
      await rename(beside, join(folder, BUNDLE.folder));
    },
  };
}
