import { Command } from "commander";

import { serve } from "../adapters/node.ts";
import type { RunningServer, ServeOptions } from "../adapters/node.ts";
import type { McpConfig } from "../configuration/options.ts";
import { completePaths } from "../paths.ts";
import { bareServer } from "../servers.ts";
import { adapterOptions, tlsOf } from "./adapter-options.ts";
import { commanderOption } from "./command-option.ts";
import type { Flags } from "./given.ts";
import { followConfig } from "./live-config.ts";
import { followTls } from "./live-tls.ts";
import { missingPrograms } from "./missing-programs.ts";
import { inTypedWords } from "./typed-names.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";
import { findServed, readServed } from "./served.ts";
import type { Served } from "./served.ts";
import { readSettings } from "./settings.ts";
import type { Asked } from "./settings.ts";
import { stopOnSignals } from "./signals.ts";
import { printExample } from "./try-it.ts";
import { watchFiles } from "./watch.ts";

export function serveCommand(): Command {
  const command = new Command("serve")
    .description("put one stdio server, or those of a configuration file, behind HTTP")
    .argument(
      "[command...]",
      "the server's command line; without it: --config, MCP_SERVER_CONFIG or ./mcp.json",
    )
    .passThroughOptions()
    .showHelpAfterError("mayfly --help shows all options, and docs/migrating.md those of other proxies.")
    .action(async (words: string[], flags: Flags) => run(words, flags, command));
  for (const option of SERVE_OPTIONS) command.addOption(commanderOption(option));
  return command;
}

async function run(words: string[], flags: Flags, command: Command): Promise<void> {
  // MCP_CONFIG is no other name of --config: MCP_SERVER_CONFIG stands between the two.
  const read = (): Asked => readSettings(flags, { ...process.env, MCP_CONFIG: undefined });
  const asked = read();
  const served = findServed(words, asked, process.env);
  if (!served) {
    command.error("mayfly: no command, no --config, no MCP_SERVER_CONFIG, and no mcp.json here");
  }
  const { options, server } = await start(served, asked);
  const stops = [
    followServers(served, asked, server, options),
    followCertificates(read, asked, server, options),
  ];
  stopOnSignals({
    close: () => {
      for (const stop of stops) stop();
      return server.close(asked.settings.shutdownTimeoutMs);
    },
    kill: () => server.kill(),
  });
  for (const path of pathsOf(options)) console.log(`Mayfly listens on ${server.url}${path}`);
  await printExample(server, options, asked.settings, pathsOf(options)[0] ?? "").catch((err: unknown) =>
    // It serves all the same.
    options.logger?.error({ err }, "The line to try cannot be printed"),
  );
}

async function start(
  { config }: Served,
  { settings, names }: Asked,
): Promise<{ options: ServeOptions; server: RunningServer }> {
  try {
    const options = adapterOptions(config, settings);
    return { options, server: await serve(options) };
  } catch (error) {
    throw inTypedWords(error, names);
  }
}

/** A command line has no file that could change. */
function followServers(
  { config, file }: Served,
  asked: Asked,
  { handler }: RunningServer,
  options: ServeOptions,
): () => void {
  const { logger } = options;
  if (!file || !logger) return () => undefined;
  const read = () => readServed(file, asked, process.env);
  const missing = (servers: McpConfig) => missingPrograms({ ...options, ...servers });
  const names = { file: file.name, paths: pathsWith([""], options) };
  return watchFiles([file.path], read, followConfig(config, names, handler, logger, missing));
}

function followCertificates(
  read: () => Asked,
  { settings: { tlsFiles = {} }, names }: Asked,
  server: RunningServer,
  { tls, logger }: ServeOptions,
): () => void {
  if (!tls || !logger) return () => undefined;
  const explained = (error: unknown): unknown => inTypedWords(error, names);
  const readTls = () => tlsOf(read().settings) ?? tls;
  return watchFiles(Object.values(tlsFiles), readTls, followTls(tls, server, logger, explained));
}

/** Where clients find the servers, the one on the bare path first. */
function pathsOf(options: ServeOptions): string[] {
  const names = Object.keys(options.mcpServers).map((name) => `/${name}`);
  const bare = bareServer(options) === undefined ? [] : [""];
  return pathsWith([...bare, ...(names.length > 1 ? names : [])], options);
}

function pathsWith(ends: readonly string[], { paths, transports = ["mcp"] }: ServeOptions): string[] {
  const complete = completePaths(paths);
  return transports.flatMap((transport) => ends.map((end) => complete[transport] + end || "/"));
}
