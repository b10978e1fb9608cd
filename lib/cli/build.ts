import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Command, Option } from "commander";

import { buildServers } from "../build/build.ts";
import type { BuildReport } from "../build/build.ts";
import { writeDocker } from "../build/docker.ts";
import { sizeOf } from "../build/folder-size.ts";
import { writeLambda } from "../build/lambda.ts";
import type { TargetSources } from "../build/lambda.ts";
import { ownFiles } from "../build/own-files.ts";
import { ConfigurationError } from "../configuration/error.ts";
import { names } from "../configuration/values.ts";
import { SERVERS_FOLDER } from "../resolve.ts";
import { findConfigToBuild } from "./build-config.ts";
import type { ConfigToBuild } from "./build-config.ts";
import { buildTable, sizeText } from "./build-table.ts";
import { indexPage } from "./index-page.ts";

/** Unzipped. Source: AWS Lambda Developer Guide, Lambda quotas. */
const MAX_LAMBDA_BYTES = 250 * 1024 ** 2;

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

async function build(flags: BuildFlags): Promise<void> {
  const found = findConfigToBuild(process.env, flags.config);
  if (found) await buildFound(found, flags);
  else tellNothingFound(flags.target);
  if (flags.target === "vercel") await writeIndexPage(targetFolder(flags));
}

/** The function on Vercel says by itself what is missing; of the other targets nothing, or an old one, would be deployed. */
function tellNothingFound(target: BuildFlags["target"]): void {
  const message = "no configuration found: set MCP_SERVER_CONFIG or add mcp.json";
  if (target !== "vercel") throw new ConfigurationError(message);
  console.error(`mayfly: ${message}`);
}

function targetFolder({ target, targetOut }: BuildFlags): string {
  return targetOut ?? (target === "vercel" ? "public" : target);
}

async function buildFound({ config, file, unset }: ConfigToBuild, flags: BuildFlags): Promise<void> {
  if (unset.length > 0) console.error(`mayfly: not set here, and taken as empty: ${unset.join(", ")}`);
  const out = flags.out ?? join(config.baseDirectory, SERVERS_FOLDER);
  const options = { ...config, passEnv: names(process.env["PASS_ENV"]), guard: true };
  const report = await buildServers({
    out,
    options,
    runScripts: flags.runScripts,
    bundles: flags.bundle,
    snapshots: flags.snapshot,
  });
  print(report, flags);
  if (report.servers.some(({ failed }) => failed)) process.exitCode = 1;
  else await writeDeployment(flags, { out, options, file: file?.path });
}

async function writeDeployment(flags: BuildFlags, sources: TargetSources): Promise<void> {
  if (flags.target === "vercel") return;
  const folder = targetFolder(flags);
  if (flags.target === "docker") await writeDocker(folder, sources, flagsForImage(flags));
  else await writeFunction(folder, sources);
  const own = ownFiles(sources.options);
  if (own.length > 0) {
    console.error(
      `mayfly: ${folder} does not hold files of yours: ${WHERE_THEY_GO[flags.target]}: ${own.join(", ")}`,
    );
  }
}

const WHERE_THEY_GO = {
  lambda: "copy them into it, after each build",
  docker: "copy them in an image on top of that one",
} as const;

/** What decides how servers are built. */
function flagsForImage({ bundle, snapshot, runScripts }: BuildFlags): string[] {
  return [
    ...(bundle ? [] : ["--no-bundle"]),
    ...(snapshot ? [] : ["--no-snapshot"]),
    ...(runScripts ? ["--run-scripts"] : []),
  ];
}

async function writeFunction(folder: string, sources: TargetSources): Promise<void> {
  await writeLambda(folder, sources);
  const bytes = await sizeOf(folder);
  console.error(`mayfly: ${folder}: ${sizeText(bytes)} of the 250 MiB that a Lambda function may have`);
  if (bytes > MAX_LAMBDA_BYTES) throw new Error("that is too large for a zip: build a container image");
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
