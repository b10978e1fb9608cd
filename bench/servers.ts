import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A server, and the call that is measured on it. */
export interface BenchServer {
  readonly name: string;
  readonly args: readonly string[];
  /** Added to the variables that every server inherits. */
  readonly env: Readonly<Record<string, string>>;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** @param folder where servers may write */
export function benchServers(folder: string): BenchServer[] {
  return [
    {
      name: "server-everything",
      args: [entryOf("@modelcontextprotocol/server-everything")],
      env: {},
      tool: "echo",
      arguments: { message: "hello" },
    },
    {
      name: "server-memory",
      args: [entryOf("@modelcontextprotocol/server-memory")],
      env: { MEMORY_FILE_PATH: join(folder, "memory.jsonl") },
      tool: "read_graph",
      arguments: {},
    },
    {
      name: "server-filesystem",
      args: [entryOf("@modelcontextprotocol/server-filesystem"), folder],
      env: {},
      tool: "list_allowed_directories",
      arguments: {},
    },
    {
      name: "counter",
      args: [join(ROOT, "test", "fixtures", "servers", "counter.mjs")],
      env: {},
      tool: "count",
      arguments: {},
    },
  ];
}

export function callText({ tool, arguments: args }: BenchServer, id: number): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name: tool, arguments: args },
  });
}

/** Not through npx, which alone takes longer to start than these servers. */
function entryOf(packageName: string): string {
  const folder = join(ROOT, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    bin: Readonly<Record<string, string>>;
  };
  return join(folder, Object.values(bin)[0] ?? "");
}
