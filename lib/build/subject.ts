import { join } from "node:path";

import type { HandlerOptions } from "../configuration/options.ts";
import { packageCall } from "../resolve.ts";
import type { Command, PackageCall } from "../resolve.ts";
import { commandOf, isContainer } from "../sandbox/sandbox.ts";
import type { Esbuild } from "./bundle.ts";
import type { Installed } from "./install.ts";

/** How servers are built. */
export interface BuildContext {
  /** Where the servers go, as an absolute path without links. */
  readonly out: string;
  /** How the servers are started. */
  readonly options: HandlerOptions;
  readonly runScripts: boolean;
  readonly bundles: boolean;
  readonly snapshots: boolean;
  /** Undefined where it is not installed. */
  readonly esbuild: Esbuild | undefined;
}

/** A server whose package, if it needs one, is installed. */
export interface Subject {
  readonly name: string;
  /** Where it is built, as an absolute path without links. */
  readonly folder: string;
  readonly installed: Installed | undefined;
  /** What starts it, without a bundle. */
  readonly command: Command;
}

/** What npx would be asked for; undefined for a server that brings its own program, or a container that has it. */
export function packageOf(name: string, { mcpServers }: HandlerOptions): PackageCall | undefined {
  const { command = "", args = [], wrapper } = mcpServers[name] ?? {};
  return isContainer(wrapper) ? undefined : packageCall({ command, args });
}

/** Programs that fetch a package where it is missing. */
const FETCHING = /^(?:npx|bunx|pnpx|uvx)(?:\.cmd)?$/;

/** The program that will fetch the server when it is called: nothing of it is installed. */
export function fetcherOf(name: string, { mcpServers }: HandlerOptions): string | undefined {
  const { command = "", wrapper } = mcpServers[name] ?? {};
  return FETCHING.test(command) && !isContainer(wrapper) ? command : undefined;
}

export function subjectOf(
  name: string,
  installed: Installed | undefined,
  { out, options }: BuildContext,
): Subject {
  const folder = join(out, name);
  const program = installed?.entry === undefined ? undefined : join(folder, installed.entry);
  const command = program === undefined ? configured(name, options) : running([program], name, options);
  return { name, folder, installed, command };
}

/** The server's own arguments behind another program of Node. */
export function running(words: readonly string[], name: string, options: HandlerOptions): Command {
  return { command: process.execPath, args: [...words, ...(packageOf(name, options)?.args ?? [])] };
}

function configured(name: string, { mcpServers, baseDirectory = "." }: HandlerOptions): Command {
  return commandOf(name, mcpServers[name] ?? { command: "" }, baseDirectory);
}
