// Puts each function and all that it imports into one file: one file loads faster than four hundred.
// Beside it go the licences of the packages inside. Usage: node scripts/bundle.mjs [entry outfile]
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LICENCE_FILE = /^(licen[sc]e|copying|notice)(\b|$)/i;

// CommonJS packages call require() for the modules of Node, and an ES module has none.
const REQUIRE_BANNER =
  'import { createRequire as createBundleRequire } from "node:module";' +
  "const require = createBundleRequire(import.meta.url);";

/** All bundles go into one folder. */
async function main(bundles) {
  const packages = new Map();
  for (const [entry, outfile] of bundles) {
    for (const item of await write(entry, outfile)) packages.set(`${item.name} ${item.version}`, item);
  }
  const [[, outfile]] = bundles;
  writeFileSync(join(dirname(outfile), "THIRD-PARTY-LICENSES.txt"), licencesText([...packages.values()]));
}

/** Returns the packages inside. */
async function write(entry, outfile) {
  const { metafile, outputFiles } = await bundle(entry, outfile);
  const packages = packagesIn(metafile);
  mkdirSync(dirname(outfile), { recursive: true });
  writeFileSync(outfile, outputFiles[0].contents);
  const size = Math.ceil(outputFiles[0].contents.length / 1024);
  console.error(`${relative(ROOT, outfile)}: ${size} KiB, ${packages.length} packages`);
  return packages;
}

async function bundle(entry, outfile) {
  const plain = await run(entry, outfile, "");
  const needsRequire = plain.outputFiles[0].text.includes("Dynamic require of");
  return needsRequire ? run(entry, outfile, REQUIRE_BANNER) : plain;
}

function run(entry, outfile, banner) {
  return build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node20",
    charset: "utf8",
    // Names stay, so that a stack trace in a log can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    banner: { js: banner },
    logLevel: "warning",
  });
}

/** The packages of which at least one byte is in the bundle. */
function packagesIn(metafile) {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = inputs
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => resolve(ROOT, path))
    .filter((path) => /[\\/]node_modules[\\/]/.test(path))
    .map((path) => packageFolder(dirname(path)));
  return [...new Set(folders)].map(describe).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Packages put small package.json files without a name into their own folders. */
function packageFolder(folder) {
  const manifest = manifestOf(folder);
  if (manifest?.name && manifest.version) return folder;
  if (dirname(folder) === folder) throw new Error("a bundled file belongs to no package");
  return packageFolder(dirname(folder));
}

function manifestOf(folder) {
  const path = join(folder, "package.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function describe(folder) {
  const { name, version, license } = manifestOf(folder);
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  if (texts.length === 0 && !license) throw new Error(`${name} ${version} is bundled and names no licence`);
  return { name, version, licence: license ?? "see below", text: texts.join("\n\n") };
}

function licencesText(packages) {
  const entries = packages.map(({ name, version, licence, text }) =>
    [`${name} ${version}`, `Licence: ${licence}`, text || "The package holds no licence text."].join("\n\n"),
  );
  const head = "The files beside this one hold code of the following packages.";
  return `${[head, ...entries].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

const [chosen, to] = process.argv.slice(2);
const bundles = chosen
  ? [[chosen, to]]
  : ["vercel", "lambda"].map((name) => [`dist/adapters/${name}.js`, `dist/bundle/${name}.js`]);
await main(bundles.map(([entry, outfile]) => [resolve(ROOT, entry), resolve(ROOT, outfile)]));
