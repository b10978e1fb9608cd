import { join } from "node:path";

import { startServing } from "../../test/support/command.ts";
import type { Scope } from "../../test/support/files.ts";
import { EVERYTHING_HTTP } from "../../test/connect/rig/remotes.ts";
import { ROOT } from "../servers.ts";

/** A remote server in a process of its own, and the call that is measured on it. */
export interface BenchRemote {
  readonly name: string;
  readonly url: URL;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** They end with the scope. */
export async function startRemotes(scope: Scope): Promise<readonly BenchRemote[]> {
  return [await startMayfly(scope), await startEverything(scope)];
}

/** The built Mayfly with sessions, in front of a server that does hardly anything. */
export async function startMayfly(scope: Scope): Promise<BenchRemote> {
  const counter = join(ROOT, "test/fixtures/servers/counter.mjs");
  const options = ["--sessions", "independent", "--log-level", "error"];
  const { url } = await startServing(scope, [...options, "--", process.execPath, counter]);
  return { name: "Mayfly with sessions", url: new URL("/mcp", url), tool: "count", arguments: {} };
}

async function startEverything(scope: Scope): Promise<BenchRemote> {
  const url = await EVERYTHING_HTTP.start(scope);
  return { name: "server-everything", url, tool: "echo", arguments: { message: "hello" } };
}
