import { isDeepStrictEqual } from "node:util";

import type { McpConfig } from "../configuration/options.ts";
import type { Logger } from "../logger.ts";
import { attempt } from "../promises.ts";
import { bareServer } from "../servers.ts";
import { follow, reasonOf } from "./follow.ts";
import type { MissingProgram } from "./missing-programs.ts";
import type { Reading } from "./watch.ts";

/**
 * Takes readings of a configuration over into a handler that runs. One that cannot work is reported and changes nothing.
 * What is logged are names: a configuration holds keys.
 * @param current what the handler has now
 * @param names what the file is called, and the paths of the server without a name
 * @param missing finds the servers that cannot run: that says nothing against the others
 */
export function followConfig(
  current: McpConfig,
  { file, paths }: { readonly file: string; readonly paths: readonly string[] },
  handler: { readonly reconfigure: (config: McpConfig) => void },
  logger: Logger,
  missing: (config: McpConfig) => readonly MissingProgram[] = () => [],
): (reading: Reading<McpConfig>) => void {
  const report = (before: McpConfig, config: McpConfig, isNews: boolean): void => {
    const changes = changesBetween(before, config);
    if (isNews || Object.keys(changes).length > 0) {
      logger.info({ file, ...changes }, "The configuration has been taken over");
      for (const one of missing(config)) logger.warn({ file, ...one }, "There is no such program");
    }
    if (bareServer(before) !== undefined && bareServer(config) === undefined) {
      logger.warn({ file, paths }, "No server is the default now: nothing is served at the bare paths");
    }
  };
  return follow({
    current,
    apply: (config) => handler.reconfigure(config),
    onTaken: (...change) =>
      attempt(
        () => report(...change),
        (error) => logger.error({ file, reason: reasonOf(error) }, "What has changed could not be told"),
      ),
    onRefused: (error) =>
      logger.error(
        { file, reason: reasonOf(error) },
        "The configuration is not taken over: the one before stays",
      ),
  });
}

interface Changes {
  readonly added?: readonly string[];
  readonly changed?: readonly string[];
  readonly removed?: readonly string[];
  /** The server on the bare path; null: none. */
  readonly default?: string | null;
}

function changesBetween(from: McpConfig, to: McpConfig): Changes {
  const [before, after] = [new Map(Object.entries(from.mcpServers)), new Map(Object.entries(to.mcpServers))];
  const lists = {
    added: [...after.keys()].filter((name) => !before.has(name)),
    changed: [...after].flatMap(([name, server]) =>
      before.has(name) && !isDeepStrictEqual(before.get(name), server) ? [name] : [],
    ),
    removed: [...before.keys()].filter((name) => !after.has(name)),
  };
  return {
    ...Object.fromEntries(Object.entries(lists).filter(([, names]) => names.length > 0)),
    ...(from.default !== to.default && { default: to.default ?? null }),
  };
}
