import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A stdio server as a client starts it. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export type Transport = "http" | "sse";

/** What was built: `npm run build` comes before these tests. */
const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

/** `mayfly connect`, which finds out the transport. */
export function connectProgram(url: URL, ...options: readonly string[]): Program {
  return { command: process.execPath, args: [MAIN, "connect", ...options, url.href] };
}

/** mcp-remote, to compare with. @param home a folder of its own: it keeps files there */
export function mcpRemoteProgram(url: URL, transport: Transport, home: string): Program {
  return {
    command: process.execPath,
    args: [programOf("mcp-remote", "mcp-remote"), url.href, "--transport", `${transport}-only`],
    // On this PATH is no program that could open a browser.
    env: { HOME: home, PATH: home, MCP_REMOTE_CONFIG_DIR: home },
  };
}

/** The file of a program that an installed package brings. @param name @default its first */
export function programOf(packageName: string, name?: string): string {
  const folder = new URL(`../../../node_modules/${packageName}/`, import.meta.url);
  const { bin } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as {
    readonly bin: Readonly<Record<string, string>>;
  };
  const file = name === undefined ? Object.values(bin)[0] : bin[name];
  if (file === undefined) throw new Error(`${packageName} has no program ${name ?? ""}`);
  return fileURLToPath(new URL(file, folder));
}
