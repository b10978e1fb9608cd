import { createRequire } from "node:module";
import { functionPath, type Rewrite } from "./project.ts";

export interface Route {
  /** Source of a regular expression over the path. */
  pattern: string;
  /** For each group of the pattern: the query parameter it becomes, if it has a name. */
  parameters: (string | null)[];
}

interface Key {
  name: string | number;
}

type PathToRegexp = (path: string, keys: Key[], options: Record<string, unknown>) => RegExp;

// The version that Vercel's own router uses; @vercel/node brings it along.
const fromVercelNode = createRequire(createRequire(import.meta.url).resolve("@vercel/node"));
const { pathToRegexp } = fromVercelNode("path-to-regexp") as { pathToRegexp: PathToRegexp };

/** Rewrites of vercel.json as Vercel compiles them (@vercel/routing-utils, `sourceToRegex`). */
export function compileRewrites(rewrites: Rewrite[]): Route[] {
  return rewrites.map(({ source, destination }) => {
    if (destination !== functionPath) {
      throw new Error(`rewrite of ${source}: the launcher knows no destination ${destination}`);
    }
    return compileSource(source);
  });
}

function compileSource(source: string): Route {
  const keys: Key[] = [];
  const { source: pattern } = pathToRegexp(source, keys, { strict: true, sensitive: true, delimiter: "/" });
  return { pattern, parameters: keys.map(({ name }) => (typeof name === "string" ? name : null)) };
}
