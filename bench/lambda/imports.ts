import { execFile } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { alternated, median, table } from "../statistics.ts";
import type { DeployedFunction } from "./functions.ts";

const WARM_UP_ROUNDS = 2;

/** Milliseconds of CPU that a new environment needs to load each function. */
export async function measureCpuOfImports(
  functions: readonly DeployedFunction[],
  rounds: number,
): Promise<string> {
  // All handlers of ours are in one file.
  const loaded = functions.filter(({ name, isPeer }) => isPeer || name === "mayfly, streaming");
  const times = new Map(loaded.map(({ name }) => [name, [] as number[]]));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const { name, folder, entry } of alternated(loaded, round + WARM_UP_ROUNDS)) {
      const ms = await cpuOfImport(join(folder, entry));
      if (round >= 0) times.get(name)?.push(ms);
    }
  }
  const [[, own = []] = []] = times;
  const rows = [...times].map(([name, all]) => [
    name.replace(", streaming", ""),
    median(all).toFixed(1),
    (median(all) / median(own)).toFixed(2),
  ]);
  return table(["function", "CPU ms", "times ours"], rows);
}

async function cpuOfImport(file: string): Promise<number> {
  const specifier = JSON.stringify(pathToFileURL(file).href);
  const code = `const start = process.cpuUsage(); await import(${specifier});
    const { user, system } = process.cpuUsage(start); console.log((user + system) / 1000); process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code]);
  return Number(stdout);
}
