import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "@vercel/build-utils";

export const entrypoint = "api/mcp.ts";
export const functionPath = "/api/mcp";

export type FunctionSettings = NonNullable<Config["functions"]>[string];

export interface Rewrite {
  source: string;
  destination: string;
}

export interface VercelJson {
  outputDirectory?: string;
  functions?: Record<string, FunctionSettings>;
  rewrites?: Rewrite[];
}

export async function readVercelJson(projectFolder: string): Promise<VercelJson> {
  return JSON.parse(await readFile(join(projectFolder, "vercel.json"), "utf8")) as VercelJson;
}

export function functionSettings(vercelJson: VercelJson): FunctionSettings {
  return vercelJson.functions?.[entrypoint] ?? {};
}

/** Without an output directory Vercel would publish the whole project. */
export function staticFolder(projectFolder: string, vercelJson: VercelJson): string {
  if (!vercelJson.outputDirectory) throw new Error("vercel.json names no outputDirectory");
  return join(projectFolder, vercelJson.outputDirectory);
}
