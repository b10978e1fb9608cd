import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { Command } from "commander";

import { ConfigurationError } from "../configuration/error.ts";
import { findConfig } from "../configuration/find.ts";
import type { McpConfig } from "../configuration/options.ts";
import { packageCall } from "../resolve.ts";
import { indexPage } from "./index-page.ts";

interface BuildFlags {
  readonly config?: string;
  readonly out: string;
}

export function buildCommand(): Command {
  return new Command("build")
    .description("prepare the servers of a configuration for deployment as a function")
    .option("--config <file>", "configuration file (env: MCP_CONFIG; default: ./mcp.json)")
    .option("--out <folder>", "where the servers go", "servers")
    .action(async (flags: BuildFlags) => build(flags));
}

/**
 * Installs what `npx -y <package>` would download in each request, and writes the page that is published in place
 * of the project's files. Without a configuration there is nothing to install; the function then says what is missing.
 */
async function build({ config: file, out }: BuildFlags): Promise<void> {
  const config = findConfig(process.env, file);
  if (config) await installServers(config, out);
  else console.error("mayfly: no configuration found: set MCP_SERVER_CONFIG or add mcp.json");
  await mkdir("public", { recursive: true });
  await writeFile(join("public", "index.html"), indexPage());
}

async function installServers({ mcpServers }: McpConfig, out: string): Promise<void> {
  for (const [name, { command, args = [] }] of Object.entries(mcpServers)) {
    const call = packageCall({ command, args });
    if (call) await install(join(out, name), call.name, call.version);
    console.log(`${name}: ${call ? `installed ${call.name}` : `runs ${command} as it is`}`);
  }
}

/** The question is kept beside the answer, so that a range or a tag is known to be met by what is installed. */
async function install(folder: string, name: string, version = "latest"): Promise<void> {
  await mkdir(folder, { recursive: true });
  const manifest = { private: true, dependencies: { [name]: version }, mayfly: { [name]: version } };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  try {
    await promisify(execFile)(npm, ["install", "--omit=dev", "--no-audit", "--no-fund"], { cwd: folder });
  } catch (cause) {
    throw new ConfigurationError(`${name}@${version} could not be installed: ${String(cause)}`, { cause });
  }
}
