import { join } from "node:path";

import { benchServers } from "../servers.ts";
import type { BenchServer } from "../servers.ts";

/** @param folder that holds `node_modules` and `fixtures`, and that servers may read */
export function lambdaServers(folder: string): BenchServer[] {
  const [everything] = benchServers(folder);
  if (!everything) throw new Error("there is no server to measure");
  const ownPath = (name: string): string =>
    join(folder, "node_modules", "@modelcontextprotocol", name, "dist", "index.js");
  // What a fixture starts has its arguments.
  const fixture = (name: string): string[] => [join(folder, "fixtures", `${name}.mjs`), `--token=${folder}`];
  return [
    { ...everything, args: [ownPath("server-everything")] },
    {
      name: "server-filesystem",
      args: [ownPath("server-filesystem"), folder],
      env: {},
      tool: "list_directory",
      arguments: { path: folder },
    },
    {
      name: "progress",
      args: fixture("progress"),
      env: {},
      tool: "progress",
      arguments: { steps: 10, delayMs: 5 },
    },
    { name: "big", args: fixture("big"), env: {}, tool: "big", arguments: { bytes: 8 * 1024 ** 2 } },
    { name: "spawns-grandchild", args: fixture("spawns-grandchild"), env: {}, tool: "any", arguments: {} },
  ];
}
