// Removes folders of this repository. Usage: node scripts/clean.mjs <folder>...
import { rmSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

function inside(folder) {
  const path = relative(root, resolve(root, folder));
  if (path === "" || path === ".git" || path.startsWith("..") || isAbsolute(path)) {
    throw new Error(`not a folder inside this repository: ${folder}`);
  }
  return resolve(root, path);
}

for (const path of process.argv.slice(2).map(inside)) rmSync(path, { recursive: true, force: true });
