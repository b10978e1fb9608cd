// Runs the tests: node scripts/test.mjs [part of a path]... [option of node]...
// Node 20 takes no globs after --test, so the files are found here.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Of a whole file, whose tests have deadlines of their own. The longest take a minute on a machine of two cores. */
const TIMEOUT_MS = 900_000;

const filters = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const options = process.argv.slice(2).filter((argument) => argument.startsWith("-"));
const files = testFiles().filter(
  (file) => filters.length === 0 || filters.some((part) => file.includes(part)),
);

if (files.length === 0) {
  console.error(`no test file has ${filters.join(" or ")} in its path`);
  process.exit(1);
}

const { status } = spawnSync(
  process.execPath,
  [
    "--import",
    "tsx",
    "--test",
    "--test-reporter=spec",
    // One more than there are cores: many tests wait for a process, or for a time limit.
    `--test-concurrency=${availableParallelism() + 1}`,
    `--test-timeout=${TIMEOUT_MS}`,
    ...options,
    ...files,
  ],
  { cwd: ROOT, stdio: "inherit" },
);
process.exit(status ?? 1);

function testFiles() {
  return readdirSync(join(ROOT, "test"), { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => ["test", ...name.split(sep)].join("/"))
    .toSorted();
}
