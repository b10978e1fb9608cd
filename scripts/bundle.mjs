// Puts each function and all that it imports into one file: one file loads faster than four hundred.
// Beside it go the licences of the packages inside. Usage: node scripts/bundle.mjs [entry outfile]
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
// As `mayfly build` does for the bundles of servers. It was compiled before this runs.
const { licencesOf } = await import(new URL("../dist/build/licences.js", import.meta.url));
const { filesIn } = await import(new URL("../dist/build/doubts.js", import.meta.url));

// CommonJS packages call require() for the modules of Node, and an ES module has none.
const REQUIRE_BANNER =
  'import { createRequire as createBundleRequire } from "node:module";' +
  "const require = createBundleRequire(import.meta.url);";

/** All bundles go into one folder. */
async function main(bundles) {
  const files = new Set();
  for (const [entry, outfile] of bundles) {
    for (const file of await write(entry, outfile)) files.add(file);
  }
  const [[, outfile]] = bundles;
  writeFileSync(join(dirname(outfile), "THIRD-PARTY-LICENSES.txt"), licencesOf([...files]).text);
}

/** Returns the files inside. */
async function write(entry, outfile) {
  const { metafile, outputFiles } = await bundle(entry, outfile);
  const files = filesIn(metafile).map((path) => resolve(ROOT, path));
  mkdirSync(dirname(outfile), { recursive: true });
  writeFileSync(outfile, outputFiles[0].contents);
  const size = Math.ceil(outputFiles[0].contents.length / 1024);
  console.error(`${relative(ROOT, outfile)}: ${size} KiB, ${licencesOf(files).packages} packages`);
  return files;
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

const [chosen, to] = process.argv.slice(2);
const bundles = chosen
  ? [[chosen, to]]
  : ["vercel", "lambda"].map((name) => [`dist/adapters/${name}.js`, `dist/bundle/${name}.js`]);
await main(bundles.map(([entry, outfile]) => [resolve(ROOT, entry), resolve(ROOT, outfile)]));
