import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Command, Option } from "commander";

import { buildServers } from "../build/build.ts";
import type { BuildReport } from "../build/build.ts";
import { names } from "../configuration/values.ts";
import { findConfigToBuild } from "./build-config.ts";
import type { ConfigToBuild } from "./build-config.ts";
import { buildTable } from "./build-table.ts";
import { indexPage } from "./index-page.ts";

interface BuildFlags {
  readonly config?: string;
  readonly out?: string;
  readonly target: "vercel" | "lambda" | "docker";
  readonly targetOut?: string;
  readonly bundle: boolean;
  readonly snapshot: boolean;
  readonly runScripts: boolean;
  readonly json: boolean;
}

export function buildCommand(): Command {
  return new Command("build")
    .description("prepare the servers of a configuration for deployment")
    .option("--config <file>", "configuration file (env: MCP_CONFIG; default: ./mcp.json)")
    .option("--out <folder>", "where the servers go (default: servers, beside the configuration)")
    .addOption(
      new Option("--target <platform>", "what to write")
        .choices(["vercel", "lambda", "docker"])
        .default("vercel"),
    )
    .option("--target-out <folder>", "where that goes (default: public, lambda or docker)")
    .option("--no-bundle", "leave servers in the files of their packages")
    .option("--no-snapshot", "do not record what servers answer")
    .option("--run-scripts", "let packages run programs of their own while they are installed", false)
    .option("--json", "print the report as JSON", false)
    .action(async (flags: BuildFlags) => build(flags));
}

/** Without a configuration there is nothing to install; the function then says what is missing. */
async function build(flags: BuildFlags): Promise<void> {
  const found = findConfigToBuild(process.env, flags.config);
  if (found) await buildFound(found, flags);
  else console.error("mayfly: no configuration found: set MCP_SERVER_CONFIG or add mcp.json");
  await writeIndexPage(flags.targetOut ?? "public");
}

async function buildFound({ config, unset }: ConfigToBuild, flags: BuildFlags): Promise<void> {
  if (unset.length > 0) console.error(`mayfly: not set here, and taken as empty: ${unset.join(", ")}`);
  const report = await buildServers({
    out: flags.out ?? join(config.baseDirectory, "servers"),
    options: { ...config, passEnv: names(process.env["PASS_ENV"]), guard: true },
    runScripts: flags.runScripts,
    bundles: flags.bundle,
    snapshots: flags.snapshot,
  });
  print(report, flags);
  if (report.servers.some(({ failed }) => failed)) process.exitCode = 1;
}

function print(report: BuildReport, { json }: BuildFlags): void {
  console.log(json ? JSON.stringify(report, null, 2) : buildTable(report.servers));
  if (report.removed.length > 0)
    console.error(`mayfly: no longer configured, removed: ${report.removed.join(", ")}`);
}

/** What is published in place of the project's files. */
async function writeIndexPage(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "index.html"), indexPage());
}
