import type { ServerConfig } from "../../lib/index.ts";
import type { Params } from "../support/rpc.ts";

/** A server of npm, and a call that needs no network. */
export interface RealServer {
  readonly name: string;
  readonly config: ServerConfig;
  readonly tool: string;
  readonly arguments: Params;
  /** What is called the next time. @default the same */
  readonly next?: { readonly tool: string; readonly arguments: Params };
  /** In the text of the result. */
  readonly answer: RegExp;
}

/** In exact versions: the offline run tells what the build has installed, and not what is new. */
export const REAL_SERVERS: readonly RealServer[] = [
  {
    name: "everything",
    config: npx("@modelcontextprotocol/server-everything@2026.8.31"),
    tool: "get-sum",
    arguments: { a: 2, b: 3 },
    answer: /\b5\b/,
  },
  {
    name: "filesystem",
    config: npx("@modelcontextprotocol/server-filesystem@2026.8.31", "/etc"),
    tool: "read_text_file",
    arguments: { path: "/etc/hostname" },
    answer: /\S/,
  },
  {
    name: "memory",
    config: {
      ...npx("@modelcontextprotocol/server-memory@2026.8.31"),
      env: { MEMORY_FILE_PATH: "/tmp/memory" },
    },
    tool: "create_entities",
    arguments: { entities: [{ name: "Ephemera", entityType: "insect", observations: ["lives for a day"] }] },
    // Another process, and perhaps another instance of the function: /tmp is what they share here.
    next: { tool: "read_graph", arguments: {} },
    answer: /Ephemera/,
  },
  {
    name: "thinking",
    config: npx("@modelcontextprotocol/server-sequential-thinking@2026.8.31"),
    tool: "sequentialthinking",
    arguments: { thought: "one", nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
    answer: /"thoughtHistoryLength": 1/,
  },
  {
    name: "budget",
    config: npx("@modelcontextprotocol/server-budget-allocator@2.0.3", "--stdio"),
    tool: "get-budget-data",
    arguments: {},
    answer: /Budget/i,
  },
];

function npx(question: string, ...args: readonly string[]): ServerConfig {
  return { command: "npx", args: ["-y", question, ...args] };
}
