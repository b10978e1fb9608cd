/** The bundled server: the text of its functions. */
export const SERVER_FILE = "server.js";
/** Writes the code cache; it is there only while that is made. */
export const CACHE_MAKER = "make-cache.cjs";

/**
 * The text of a bundled server: the mode of code is that of what stands around it.
 * @param strict all ES modules, and the scripts that say that they are strict
 * @param sloppy all other scripts, as functions with commas between them
 */
export function serverFile(strict: string, sloppy: string): string {
  return `({run:async function(require,__mayfly){"use strict";${strict}\n},scripts:[${sloppy}]})`;
}

/**
 * The program that runs a bundle. Modules are told their places beside the bundle, and the server the entry it was
 * made of: nothing but the time that it takes tells it from the package. V8 itself looks whether the cached code is its
 * own; of another version, or where the file is missing, the text is compiled.
 * @param entry relative to the server's folder, with forward slashes
 */
export function startFile(entry: string): string {
  return program(entry, "file");
}

/**
 * Runs the bundle as ever, and writes what V8 has compiled when the first answer goes out: of the functions that a
 * start needs, all are there by then.
 * @param entry see {@link startFile}
 */
export function cacheMaker(entry: string): string {
  // The cache holds the name of the script: the same bundle in another folder would have another cache.
  return program(entry, JSON.stringify(SERVER_FILE)).replace("\n\n", HOOK);
}

const HOOK = `
const { writeFileSync } = require("node:fs");

const write = process.stdout.write;
process.stdout.write = function (...args) {
  process.stdout.write = write;
  writeFileSync(cacheFile, script.createCachedData());
  return write.apply(process.stdout, args);
};

`;

/** @param name of the script in stack traces, as an expression */
function program(entry: string, name: string): string {
  return `"use strict";
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { dirname, join } = require("node:path");
const { pathToFileURL } = require("node:url");
const { Script, constants } = require("node:vm");

const root = dirname(__dirname);
const filename = (place) => join(root, place);
const requireHere = createRequire(filename("package.json"));
const places = {
  filename,
  dirname: (place) => dirname(filename(place)),
  url: (place) => pathToFileURL(filename(place)).href,
  builtin: requireHere,
};

const cacheFile = join(__dirname, "code-" + process.versions.v8 + "-" + process.arch + ".cache");
function cached() {
  try {
    return readFileSync(cacheFile);
  } catch {
    return undefined;
  }
}

const file = join(__dirname, ${JSON.stringify(SERVER_FILE)});
const script = new Script(readFileSync(file, "latin1"), {
  filename: ${name},
  cachedData: cached(),
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
exports.script = script;
process.argv[1] = filename(${JSON.stringify(entry)});
const { run, scripts } = script.runInThisContext();
void run(requireHere, { ...places, scripts });
`;
}
