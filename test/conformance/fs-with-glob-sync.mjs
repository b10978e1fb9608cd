import { readdirSync } from "node:fs";
import { sep } from "node:path";

export * from "node:fs";

const WILDCARDS = { "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]" };

// What Node 22 has, for patterns of double and single asterisks and question marks.
export function globSync(pattern, { cwd = process.cwd() } = {}) {
  const expression = new RegExp(`^${pattern.replaceAll(/\*\*\/|[*?]|[$()+.[\\\]^{|}]/g, translated)}$`);
  return readdirSync(cwd, { recursive: true }).filter((path) => expression.test(path.split(sep).join("/")));
}

function translated(part) {
  return WILDCARDS[part] ?? `\\${part}`;
}
