import { fileURLToPath } from "node:url";

import type { ServerConfig } from "../../lib/index.ts";

export interface ChildKind {
  /** Of the program in servers/, and what it calls itself. */
  readonly name: string;
  /** What its SDK makes of a tool that it does not have. */
  readonly unknownTool: "result" | "error";
  /** What its tool `structured` answers: SDK v1 knows objects only. */
  readonly structured: unknown;
}

export const CHILDREN: readonly ChildKind[] = [
  { name: "legacy-only", unknownTool: "result", structured: { numbers: [1, 2, 3] } },
  { name: "dual", unknownTool: "error", structured: [1, 2, 3] },
  { name: "modern-only", unknownTool: "error", structured: [1, 2, 3] },
];

export const TOOLS = ["ask", "ask-two", "echo", "progress", "slow", "structured"];

/** How to start it, with the key for its state that all its processes share. */
export function configOf({ name }: ChildKind, token: string): ServerConfig {
  const file = fileURLToPath(new URL(`servers/${name}.mjs`, import.meta.url));
  const env = { STATE_KEY: "a key of the tests that is long enough" };
  return { command: process.execPath, args: [file, `--token=${token}`], env };
}
