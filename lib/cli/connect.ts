import { Command } from "commander";

import { createFileLogger, createLogger } from "../adapters/log.ts";
import { connect } from "../connect/index.ts";
import type { ConnectOptions } from "../connect/index.ts";
import type { Logger } from "../logger.ts";
import { createWatch } from "../watching.ts";
import { commanderOption } from "./command-option.ts";
import { CONNECT_OPTIONS, connectOptions } from "./connect-options.ts";
import type { ConnectAsked } from "./connect-options.ts";
import type { Flags } from "./given.ts";
import { stopOnSignals } from "./signals.ts";

export function connectCommand(): Command {
  const command = new Command("connect")
    .description("be a stdio server in front of a remote MCP server")
    .argument("[url]", "of the remote server; ${VAR} is replaced (env: SSE_URL)")
    .showHelpAfterError(
      "mayfly connect --help shows all options, and docs/migrating.md those of other programs.",
    )
    .action((url: string | undefined, flags: Flags) => run(connectOptions(url, flags, process.env)));
  for (const option of CONNECT_OPTIONS) command.addOption(commanderOption(option));
  return command;
}

async function run(asked: ConnectAsked): Promise<void> {
  const logger = loggerOf(asked);
  // A client that has gone, or has closed one of the two, must not look like a crash.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const connection = connect({ ...asked.options, logger, ...watching(asked, logger) });
  // stdout is the client's.
  stopOnSignals({ close: () => connection.close(), kill: () => undefined }, () => undefined);
  if (process.stdin.isTTY)
    logger.info({}, "Waiting for a client on stdin: its configuration is to start this");
  await connection.closed;
  // stdin may still be open, and would keep the process.
  process.exit(0);
}

/** What --debug shows also goes to the file; stderr keeps its own level. */
function loggerOf({ logLevel, debugFile }: ConnectAsked): Logger {
  const onStderr = createLogger(logLevel);
  if (debugFile === undefined) return onStderr;
  return both(onStderr, createFileLogger("debug", debugFile, "--debug-file"));
}

function both(one: Logger, other: Logger): Logger {
  const write =
    (level: keyof Logger): Logger[keyof Logger] =>
    (fields, message) => {
      one[level](fields, message);
      other[level](fields, message);
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** Messages are looked at only where somebody wants to see them: to mask a long one takes time. */
function watching(
  { logLevel, debugFile, options: { url }, secrets }: ConnectAsked,
  logger: Logger,
): Pick<ConnectOptions, "onMessage"> {
  if (logLevel !== "debug" && debugFile === undefined) return {};
  const watch = createWatch({ logMessages: true }, logger);
  return { onMessage: (direction, text) => watch({ name: url.host, secrets }, direction, text) };
}
