// Runs the tests of properties with ever other values: npm run fuzz -- [--minutes N] [--runs N] [part of a path]...
// A failure names the seed; FUZZ_SEED and FUZZ_RUNS repeat it with `npm run test:files`.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, runs: { type: "string", default: "2000" } },
  allowPositionals: true,
});
const [minutes, runs] = [values.minutes, values.runs].map(Number);
if (!(minutes > 0 && runs >= 1)) throw new Error("--minutes and --runs are numbers");

const files = withProperties().filter(
  (file) => positionals.length === 0 || positionals.some((part) => file.includes(part)),
);
const until = performance.now() + minutes * 60_000;
do {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const env = { ...process.env, FUZZ_RUNS: String(runs), FUZZ_SEED: String(seed) };
  console.log(`FUZZ_SEED=${seed} FUZZ_RUNS=${runs}, ${files.length} files`);
  const { status } = spawnSync(process.execPath, ["scripts/test.mjs", ...files], {
    cwd: ROOT,
    env,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
} while (performance.now() < until);

function withProperties() {
  const tests = readdirSync(join(ROOT, "test"), { recursive: true }).filter((name) =>
    name.endsWith(".test.ts"),
  );
  const uses = (name) => /\b(?:always|eventually)\(/.test(readFileSync(join(ROOT, "test", name), "utf8"));
  return tests.filter(uses).map((name) => join("test", name));
}
