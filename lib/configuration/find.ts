import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { ConfigurationError } from "./error.ts";
import type { Variables } from "./expand.ts";
import { parseMcpJson, parseMcpServerConfig } from "./mcp-config.ts";
import type { McpConfig } from "./options.ts";

/** The servers, and the folder that their relative paths start from. */
export interface FoundConfig extends McpConfig {
  readonly baseDirectory: string;
}

/** A configuration file. */
export interface ConfigFile {
  readonly path: string;
  /** What it is called in errors. */
  readonly name: string;
}

/**
 * Reads the configuration: the file if one is named, else `MCP_SERVER_CONFIG`, else `MCP_CONFIG`, else `./mcp.json`.
 * @returns undefined if there is none of them
 * @throws ConfigurationError
 */
export function findConfig(variables: Variables, file?: string): FoundConfig | undefined {
  const { MCP_SERVER_CONFIG: text } = variables;
  const found = findConfigFile(variables, file);
  if (found) return readConfig(found, variables);
  if (text === undefined || text.trim() === "") return undefined;
  return { ...parseMcpServerConfig(text, variables), baseDirectory: process.cwd() };
}

/** The file that {@link findConfig} reads; undefined if it reads none. */
export function findConfigFile(variables: Variables, file?: string): ConfigFile | undefined {
  const { MCP_SERVER_CONFIG: text = "", MCP_CONFIG: named } = variables;
  if (file === undefined && text.trim() !== "") return undefined;
  const chosen = file ?? (named || undefined);
  if (chosen !== undefined) return { path: resolve(chosen), name: chosen };
  const usual = join(process.cwd(), "mcp.json");
  return existsSync(usual) ? { path: usual, name: "mcp.json" } : undefined;
}

/** @throws ConfigurationError, also for a file that cannot be read */
export function readConfig({ path, name }: ConfigFile, variables: Variables): FoundConfig {
  return { ...parseMcpJson(read(path, name), name, variables), baseDirectory: dirname(path) };
}

function read(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code = "unreadable" } = cause as NodeJS.ErrnoException;
    throw new ConfigurationError(`${name}: cannot be read (${code})`, { cause });
  }
}
