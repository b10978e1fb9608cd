// Mayfly beside @aws/run-mcp-servers-with-aws-lambda, both in the real runtime client, with the same servers.
// Usage: npm run bench:lambda -- [--rounds N]
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { measureCpuOfImports } from "./lambda/imports.ts";
import { measureLost } from "./lambda/lost.ts";
import { lambdaServers } from "./lambda/servers.ts";
import { measureTimes } from "./lambda/times.ts";
import { makeFunctions } from "./lambda/functions.ts";
import { machineFacts } from "./machine.ts";
import { ROOT } from "./servers.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "30" } } });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
await main(Number(values.rounds));

async function main(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  // Processes of this run are found by the name of this folder in their arguments.
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  cpSync(join(ROOT, "test", "fixtures", "servers"), join(folder, "fixtures"), { recursive: true });
  const servers = lambdaServers(folder);
  const functions = await makeFunctions(folder, servers);
  console.log(`${machineFacts()}\n`);
  console.log(`CPU time to load, medians of ${rounds} fresh processes each:\n`);
  console.log(`${await measureCpuOfImports(functions, rounds)}\n`);
  console.log(`One tools/call, ${rounds} rounds:\n\n${await measureTimes(functions, servers, rounds)}\n`);
  console.log(`What arrives, and what is left:\n\n${await measureLost(functions, folder)}`);
}
