import { readFileSync } from "node:fs";
import { join } from "node:path";

import { benchServers } from "../servers.ts";
import type { BenchServer } from "../servers.ts";

export interface LambdaServer extends BenchServer {
  /** What `npx -y` is given to run the same; undefined for a server that is no package. */
  readonly npx?: readonly string[];
}

/** @param folder that holds `node_modules` and `fixtures`, and that servers may read */
export function lambdaServers(folder: string): LambdaServer[] {
  const [everything] = benchServers(folder);
  if (!everything) throw new Error("there is no server to measure");
  const packageFolder = (name: string): string => join(folder, "node_modules", "@modelcontextprotocol", name);
  const ownPath = (name: string): string => join(packageFolder(name), "dist", "index.js");
  // The very version that the others run.
  const exact = (name: string): string => {
    const manifest = readFileSync(join(packageFolder(name), "package.json"), "utf8");
    return `@modelcontextprotocol/${name}@${(JSON.parse(manifest) as { readonly version: string }).version}`;
  };
  // What a fixture starts has its arguments.
  const fixture = (name: string): string[] => [join(folder, "fixtures", `${name}.mjs`), `--token=${folder}`];
  return [
    { ...everything, args: [ownPath("server-everything")], npx: [exact("server-everything")] },
    {
      name: "server-filesystem",
      args: [ownPath("server-filesystem"), folder],
      npx: [exact("server-filesystem"), folder],
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
