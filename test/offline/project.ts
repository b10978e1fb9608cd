import { execFile } from "node:child_process";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { ROOT } from "../support/documents.ts";
import { temporaryFolder } from "../support/files.ts";
import type { Scope } from "../support/files.ts";
import { REAL_SERVERS } from "./servers.ts";

/** What a project of its own has from this repository. */
const SHIPPED = ["api", "dist", "package.json", "tsconfig.json", "vercel.json"];

/** A project with real servers, after `mayfly build` for both platforms: this needs the registry, or npm's cache. */
export async function builtProject(scope: Scope): Promise<string> {
  const project = await temporaryFolder(scope);
  for (const name of SHIPPED) await cp(join(ROOT, name), join(project, name), { recursive: true });
  const mcpServers = Object.fromEntries(REAL_SERVERS.map(({ name, config }) => [name, config]));
  await writeFile(join(project, "mcp.json"), JSON.stringify({ mcpServers }));
  const command = join(ROOT, "dist", "cli", "main.js");
  const env = { ...process.env, NODE_PATH: join(ROOT, "node_modules"), npm_config_prefer_offline: "true" };
  for (const target of ["vercel", "lambda"]) {
    await promisify(execFile)(process.execPath, [command, "build", "--target", target], {
      cwd: project,
      env,
    });
  }
  return project;
}
