import { Command } from "commander";

import { serve } from "../adapters/node.ts";
import type { RunningServer, ServeOptions } from "../adapters/node.ts";
import { completePaths } from "../paths.ts";
import { adapterOptions, tlsOf } from "./adapter-options.ts";
import { exampleCall, exampleStream } from "./example.ts";
import { followConfig } from "./live-config.ts";
import { followTls } from "./live-tls.ts";
import { inTypedWords } from "./places.ts";
import { SERVE_OPTIONS, commanderOption } from "./serve-options.ts";
import { findServed, readServed } from "./served.ts";
import type { Served } from "./served.ts";
import { readSettings } from "./settings.ts";
import type { Asked, Flags } from "./settings.ts";
import { stopOnSignals } from "./signals.ts";
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
  await printExample(server, options);
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
  { logger }: ServeOptions,
): () => void {
  if (!file || !logger) return () => undefined;
  const read = () => readServed(file, asked, process.env);
  return watchFiles([file.path], read, followConfig(config, file.name, handler, logger));
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
function pathsOf({ mcpServers, default: chosen, paths, transports = ["mcp"] }: ServeOptions): string[] {
  const names = Object.keys(mcpServers);
  const complete = completePaths(paths);
  return transports.flatMap((transport) => {
    const path = complete[transport];
    const named = names.map((name) => `${path}/${name}`);
    return names.length === 1 ? [path || "/"] : [...(chosen === undefined ? [] : [path || "/"]), ...named];
  });
}

async function printExample(server: RunningServer, options: ServeOptions): Promise<void> {
  const name = options.default ?? Object.keys(options.mcpServers)[0] ?? "";
  const [path = ""] = pathsOf(options);
  const asking = { path, key: options.authKeys?.[0], allowedHosts: options.allowedHosts };
  if (!options.transports?.includes("mcp")) return printStream(await exampleStream(server, asking));
  const call = await exampleCall(server, asking);
  if (call) console.log(`Try it:\n\n${call}\n`);
  else console.log(`The server "${name}" did not list its tools: the line above says why.`);
}

function printStream({ line, failures }: Awaited<ReturnType<typeof exampleStream>>): void {
  if (line !== undefined) console.log(`Try it:\n\n${line}\n`);
  for (const failure of failures) console.log(failure);
}
