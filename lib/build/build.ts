import { realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";

import type { HandlerOptions } from "../configuration/options.ts";
import { buildServer } from "./build-server.ts";
import { loadEsbuild } from "./bundle.ts";
import { install, withoutPackage } from "./install.ts";
import type { Installed } from "./install.ts";
import { checkNames, removeOthers, repair } from "./place.ts";
import { messageOf } from "./report.ts";
import type { ServerReport } from "./report.ts";
import { packageOf, subjectOf } from "./subject.ts";
import type { BuildContext } from "./subject.ts";

/** What is asked of a build. */
export interface BuildSettings {
  /** Where the servers go. */
  readonly out: string;
  /** The servers, and how they are started; `baseDirectory` is absolute. */
  readonly options: HandlerOptions;
  /** Whether packages may run programs of their own while they are installed. @default false */
  readonly runScripts: boolean;
  readonly bundles: boolean;
  readonly snapshots: boolean;
}

export interface BuildReport {
  /** In the order of the configuration. */
  readonly servers: readonly ServerReport[];
  /** Folders of servers that are no longer configured, which are gone. */
  readonly removed: readonly string[];
}

/**
 * Installs, bundles and records all servers. One that cannot be installed is a failure in the report, after all others
 * are done.
 * @throws ConfigurationError for names that can be no folders; an Error of the system if `out` cannot be written
 */
export async function buildServers(settings: BuildSettings): Promise<BuildReport> {
  const names = Object.keys(settings.options.mcpServers);
  checkNames(names);
  await repair(resolve(settings.out));
  const context = { ...settings, out: await realpath(settings.out), esbuild: await loadEsbuild() };
  const removed = await removeOthers(context.out, names);
  const installed = await inParallel(names, async (name) => tryInstall(name, context));
  const servers: ServerReport[] = [];
  // One after the other: a start is timed, and the others would slow it.
  for (const [index, name] of names.entries()) servers.push(await reportOn(name, installed[index], context));
  return { servers, removed };
}

/** What npm does is mostly waiting for the registry and the disk; a few at a time use both. */
const AT_ONCE = Math.min(4, availableParallelism());

/** Runs the work on all items, a few at a time; the results are in the order of the items. */
async function inParallel<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

interface Tried {
  readonly installed?: Installed;
  readonly failure?: string;
}

async function tryInstall(name: string, { out, options, runScripts }: BuildContext): Promise<Tried> {
  const call = packageOf(name, options);
  try {
    if (call) return { installed: await install(name, call, { out, runScripts }) };
    await withoutPackage(name, out);
    return {};
  } catch (error) {
    return { failure: `${call ? `${call.name}@${call.version ?? "latest"}` : name}: ${messageOf(error)}` };
  }
}

async function reportOn(
  name: string,
  { installed, failure }: Tried = {},
  context: BuildContext,
): Promise<ServerReport> {
  if (failure === undefined) return buildServer(subjectOf(name, installed, context), context);
  const notes = [`not installed: ${failure}`];
  return { server: name, sizeBytes: 0, bundled: false, snapshot: false, failed: true, notes };
}
