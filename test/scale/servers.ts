import { join } from "node:path";

import type { ServerConfig } from "../../lib/index.ts";
import { ROOT } from "../support/documents.ts";

/** test/fixtures/servers/<name>.mjs, each under its name; all carry the token. */
export function fixtureServers(
  token: string,
  names: readonly string[],
  more: Partial<ServerConfig> = {},
): Record<string, ServerConfig> {
  const servers = names.map((name): [string, ServerConfig] => {
    const file = join(ROOT, "test", "fixtures", "servers", `${name}.mjs`);
    return [name, { command: process.execPath, args: [file, `--token=${token}`], ...more }];
  });
  return Object.fromEntries(servers);
}

/** A server of npm that is installed here. */
export function everything(token: string): ServerConfig {
  const entry = join(ROOT, "node_modules/@modelcontextprotocol/server-everything/dist/index.js");
  return { command: process.execPath, args: [entry, "stdio", `--token=${token}`] };
}
