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

/**
 * Those that a command line asks for.
 * @param name of the only one, @default all
 * @throws Error for a name that none has, and for what is no number of rounds
 */
export function chosenServers(folder: string, name: string | undefined, rounds: number): BenchServer[] {
  const servers = benchServers(folder).filter((server) => name === undefined || server.name === name);
  if (servers.length === 0 || !(rounds >= 1)) throw new Error("no such server, or not a number of rounds");
  return servers;
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
