import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { ROOT } from "./servers.ts";
import { alternated, median, table } from "./statistics.ts";

interface Times {
  readonly importMs: number[];
  readonly processMs: number[];
}

const WARM_UP_ROUNDS = 2;

/** Loads a module in a fresh process; what a function does when the platform starts a new instance of it. */
export async function measureImports(rounds: number, folder: string): Promise<string> {
  const empty = join(folder, "empty.mjs");
  writeFileSync(empty, "");
  const modules = new Map([
    ["an empty module", empty],
    ["the function, bundled (what is deployed)", join(ROOT, "dist", "bundle", "vercel.js")],
    ["the function, not bundled", join(ROOT, "dist", "adapters", "vercel.js")],
  ]);
  const times = new Map<string, Times>([...modules.keys()].map((name) => [name, emptyTimes()]));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const [name, file] of alternated([...modules], round + WARM_UP_ROUNDS)) {
      const { importMs, processMs } = await load(file);
      if (round < 0) continue;
      times.get(name)?.importMs.push(importMs);
      times.get(name)?.processMs.push(processMs);
    }
  }
  const rows = [...times].map(([name, { importMs, processMs }]) => [
    name,
    median(importMs).toFixed(1),
    median(processMs).toFixed(1),
  ]);
  return table(["module", "import ms", "whole process ms"], rows);
}

function emptyTimes(): Times {
  return { importMs: [], processMs: [] };
}

async function load(file: string): Promise<{ readonly importMs: number; readonly processMs: number }> {
  const specifier = JSON.stringify(pathToFileURL(file).href);
  const code = `const start = performance.now(); await import(${specifier}); console.log(performance.now() - start);`;
  const startedAt = performance.now();
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code]);
  return { importMs: Number(stdout), processMs: performance.now() - startedAt };
}
