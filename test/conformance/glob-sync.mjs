// Node 20 has no fs.globSync, and the suite names it in an import, which fails before anything runs. Names cannot
// be added to a built-in module, so the suite gets another module in its place: node --import ./glob-sync.mjs
import fs from "node:fs";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

const SUITE = "/@modelcontextprotocol/conformance/";
const REPLACEMENT = new URL("fs-with-glob-sync.mjs", import.meta.url).href;

// Node runs the hooks on a thread of their own, and loads this file there once more.
if (isMainThread && fs.globSync === undefined) register(import.meta.url);

export function resolve(specifier, context, nextResolve) {
  const replaced = specifier === "fs" && context.parentURL?.includes(SUITE);
  return replaced ? { url: REPLACEMENT, shortCircuit: true } : nextResolve(specifier, context);
}
