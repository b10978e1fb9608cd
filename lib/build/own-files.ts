import { existsSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";

import type { HandlerOptions, ServerConfig } from "../configuration/options.ts";

/**
 * The operator's own files that command lines name, as they are written there, each once. They are in no target, since
 * nobody knows what they import or read.
 */
export function ownFiles({ mcpServers, baseDirectory = "." }: HandlerOptions): string[] {
  return [...new Set(Object.values(mcpServers).flatMap((config) => filesOf(config, baseDirectory)))];
}

function filesOf({ command, args = [], cwd = "." }: ServerConfig, base: string): string[] {
  const words = [...(command.includes("/") ? [command] : []), ...args];
  return words.filter((word) => !isAbsolute(word) && isFile(resolve(base, cwd, word)));
}

function isFile(path: string): boolean {
  // Asked first, as it takes any text: a word may be longer than names can be.
  return existsSync(path) && statSync(path).isFile();
}
