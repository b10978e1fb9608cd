import type { Message, Metafile } from "esbuild";

/** A file that goes into a bundle, without its comments. */
export interface BundledFile {
  /** Relative to the server's folder. */
  readonly path: string;
  readonly text: string;
}

/**
 * What esbuild says of code whose imports it cannot see. In a bundle such code finds another instance of a module
 * than the one inside, or none: nothing that lists show, and perhaps a call.
 */
export const TELLING = [
  "direct-eval",
  "ignored-bare-import",
  "indirect-require",
  "require-resolve-not-external",
  "unsupported-dynamic-import",
  "unsupported-require-call",
] as const;

/** The engine of a template by the ending of its file: no server over stdio renders pages. */
const HARMLESS = /(?:^|\/)node_modules\/express\/lib\/view\.js$/;

/** Changes how modules are found later; in a bundle they are there already. */
const HOOKS =
  /\bModule\._\w+|\bregisterHooks\(|\bmodule\.register\(|\bimport\{[^}]*\bregister(?:Hooks)?\b[^}]*\}from"(?:node:)?module"/;

/** Ways to find modules, or to ask who one is, that a bundle answers differently. */
const DOUBTS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["require.cache", /\brequire\.(?:cache|extensions)\b/],
  ["require.main", /\brequire\.main\b|\bprocess\.mainModule\b/],
  ["module.parent", /\bmodule\.(?:parent|children|paths|require|id|filename|loaded)\b/],
  ["Module._load", HOOKS],
  // To keep its name, functions inside of it are given to a function of the bundle, which is not there.
  [
    "the text of a function",
    /\.(?:evaluate(?:Handle|OnNewDocument)?|\$\$?eval|addInitScript|waitForFunction|executeScript)\(|\beval:true\b/,
  ],
  ["import() in a text", /Function\([^)]*\bimport\(/],
  ["import() of a computed name", /\bimport\((?!(["'`])[^"'`$]*\1[,)])/],
  // depd asks for the name to print it in a warning, and falls back to this text.
  ["the name of its caller's file", /\.getFileName\(\)(?!\s*\|\|\s*["']<anonymous>)/],
  ["import.meta", /\bimport\.meta\b(?!\.(?:url|dirname|filename)\b)/],
];

/** Why the files might not do in a bundle what they do by themselves; undefined if nothing speaks against it. */
export function doubtAbout(files: readonly BundledFile[], warnings: readonly Message[]): string | undefined {
  const ofBundler = warnings.find(
    ({ id, location }) => TELLING.some((telling) => telling === id) && !HARMLESS.test(location?.file ?? ""),
  );
  if (ofBundler && !isAlone(files))
    return `${packageOf(ofBundler.location?.file)} imports by a computed name`;
  return files.flatMap((file) => doubtsIn(file, isAlone(files)))[0];
}

/** A package that is one file already has nothing inside that could be found outside once more. */
function isAlone(files: readonly BundledFile[]): boolean {
  return files.length === 1;
}

function doubtsIn({ path, text }: BundledFile, alone: boolean): string[] {
  const found = DOUBTS.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);
  const loads = !alone && requiresFreely(text) ? ["createRequire"] : [];
  return [...found, ...loads].map((what) => `${packageOf(path)} uses ${what}`);
}

const MADE_REQUIRE = /([\w$]+)\s*=\s*createRequire\(/g;

/** A `require` that was made may read JSON, by a name that stands there: data has no instances. */
function requiresFreely(text: string): boolean {
  const made = [...text.matchAll(MADE_REQUIRE)].map(([, name = ""]) => name);
  const imported = text.match(/[{,]\s*createRequire\s*(?=[,}])/g) ?? [];
  const mentioned = text.match(/\bcreateRequire\b/g) ?? [];
  return mentioned.length > made.length + imported.length || made.some((name) => !readsOnlyJson(text, name));
}

function readsOnlyJson(text: string, name: string): boolean {
  const rest = text.replaceAll(MADE_REQUIRE, "");
  const uses = rest.split(new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}(?![\\w$])`)).slice(1);
  return uses.every((use) => /^\((["'`])[^"'`]+\.json\1\)/.test(use));
}

/** The package of a file, as in `node_modules/@scope/name/dist/index.js`. */
export function packageOf(path = ""): string {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? (path || "it");
}

/** The files of which something is in the bundle. */
export function filesIn({ outputs }: Metafile): string[] {
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).filter((path) => inputs[path]?.bytesInOutput !== 0),
  );
}
