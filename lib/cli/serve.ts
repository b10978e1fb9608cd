import { Command, Option } from "commander";

import { createLogger } from "../adapters/log.ts";
import { serve } from "../adapters/node.ts";
import type { RunningServer, ServeOptions } from "../adapters/node.ts";
import { ConfigurationError } from "../configuration/error.ts";
import { findConfig } from "../configuration/find.ts";
import type { FoundConfig } from "../configuration/find.ts";
import { PARAM_HEADERS } from "../configuration/options.ts";
import {
  inputOptions,
  list,
  oneOf,
  toLogLevel,
  toolFilter,
  truth,
  wholeNumber,
} from "../configuration/values.ts";
import { ERA_SETTINGS } from "../exchange/era-memory.ts";
import { exampleCall } from "./example.ts";
import { stopOnSignals } from "./signals.ts";

/** Option values as commander gives them: text, or undefined. */
interface ServeFlags {
  readonly port: string;
  readonly host: string;
  readonly config?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly passEnv?: string;
  readonly allowEnv?: string;
  readonly allowTools?: string;
  readonly denyTools?: string;
  readonly cwd?: string;
  readonly shell?: boolean;
  readonly authKey?: string;
  readonly allowAnonymous?: boolean;
  readonly corsOrigin?: string;
  readonly allowedHosts?: string;
  readonly startTimeout?: string;
  readonly requestTimeout?: string;
  readonly era?: string;
  readonly inputMode?: string;
  readonly stateSecret?: string;
  readonly paramHeaders?: string;
  readonly maxProcesses?: string;
  readonly maxBody?: string;
  readonly maxMessage?: string;
  readonly spares: string;
  readonly logLevel: string;
  readonly debug?: boolean;
}

export function serveCommand(): Command {
  return new Command("serve")
    .description("put one stdio server, or those of a configuration file, behind HTTP")
    .argument(
      "[command...]",
      "the server's command line; without it: --config, MCP_SERVER_CONFIG or ./mcp.json",
    )
    .passThroughOptions()
    .addOption(new Option("--port <number>", "0 picks a free one").env("PORT").default("8000"))
    .addOption(new Option("--host <address>", "address to listen on").env("HOST").default("127.0.0.1"))
    .addOption(new Option("--config <file>", "configuration file (env: MCP_CONFIG; default: ./mcp.json)"))
    .addOption(
      new Option("-e, --env <NAME=VALUE>", "variable of the server; repeatable")
        .argParser(addVariable)
        .default({}, "none"),
    )
    .addOption(
      new Option("--pass-env <names>", "own variables that the server inherits: names, PREFIX_*, *").env(
        "PASS_ENV",
      ),
    )
    .addOption(
      new Option("--allow-env <names>", "variables that a URL may set: names, PREFIX_*, *").env("ALLOW_ENV"),
    )
    .addOption(new Option("--allow-tools <names>", "the only tools that callers see; * for any characters"))
    .addOption(new Option("--deny-tools <names>", "tools that no caller sees; * for any characters"))
    .addOption(new Option("--cwd <folder>", "working directory of the server"))
    .addOption(new Option("--shell", "run the command through your shell"))
    .addOption(
      new Option("--auth-key <keys>", "keys that open the door, separated by commas").env("AUTH_KEY"),
    )
    .addOption(new Option("--allow-anonymous", "let everybody in (env: ALLOW_ANONYMOUS=true)"))
    .addOption(new Option("--cors-origin <origins>", "browser origins that may call").env("CORS_ORIGIN"))
    .addOption(new Option("--allowed-hosts <names>", "Host headers that are let in").env("ALLOWED_HOSTS"))
    .addOption(new Option("--era <era>", "of the server: auto, legacy, modern, dual (default: auto)"))
    .addOption(
      new Option(
        "--input-mode <mode>",
        "for questions of the server: refuse, rerun, hold (default: refuse)",
      ).env("INPUT_MODE"),
    )
    .addOption(
      new Option("--state-secret <secrets>", "for rerun: 32 characters or more, separated by commas").env(
        "STATE_SECRET",
      ),
    )
    .addOption(
      new Option("--param-headers <when>", "compare Mcp-Param headers: auto, always, off (default: auto)"),
    )
    .addOption(new Option("--start-timeout <ms>", "for the handshake (default: 30000)"))
    .addOption(new Option("--request-timeout <ms>", "for the request (default: 60000)"))
    .addOption(
      new Option("--max-processes <n>", "processes alive at once (default: from cores and memory)").env(
        "MAX_PROCESSES",
      ),
    )
    .addOption(new Option("--max-body <bytes>", "of a request (default: 4 MiB)"))
    .addOption(new Option("--max-message <bytes>", "of one line from the server (default: 64 MiB)"))
    .addOption(
      new Option("--spares <n>", "processes started ahead; this version supports 0")
        .env("SPARES")
        .default("0"),
    )
    .addOption(
      new Option("--log-level <level>", "debug, info, warn, error or silent")
        .env("LOG_LEVEL")
        .default("info"),
    )
    .addOption(new Option("--debug", "the same as --log-level debug"))
    .showHelpAfterError()
    .action(async (words: string[], flags: ServeFlags, command: Command) => run(words, flags, command));
}

function addVariable(pair: string, variables: Readonly<Record<string, string>>): Record<string, string> {
  const at = pair.indexOf("=");
  if (at < 1) throw new ConfigurationError(`--env: expected NAME=VALUE, found "${pair}"`);
  return { ...variables, [pair.slice(0, at)]: pair.slice(at + 1) };
}

async function run(words: string[], flags: ServeFlags, command: Command): Promise<void> {
  const config = configOf(words, flags);
  if (!config) command.help({ error: true });
  const server = await serve(optionsOf(config, flags));
  stopOnSignals(server);
  for (const path of pathsOf(config)) console.log(`Mayfly listens on ${server.url}${path}`);
  await printExample(server, config, flags);
}

function pathsOf({ mcpServers, default: chosen }: FoundConfig): string[] {
  const names = Object.keys(mcpServers);
  const named = names.map((name) => `/mcp/${name}`);
  return names.length === 1 ? ["/mcp"] : [...(chosen === undefined ? [] : ["/mcp"]), ...named];
}

async function printExample(server: RunningServer, config: FoundConfig, flags: ServeFlags): Promise<void> {
  const name = config.default ?? Object.keys(config.mcpServers)[0] ?? "";
  const path = pathsOf(config)[0] ?? "";
  const call = await exampleCall(server, path, list(flags.authKey)[0]);
  if (call) console.log(`Try it:\n\n${call}\n`);
  else console.log(`The server "${name}" did not list its tools: the line above says why.`);
}

function configOf(words: readonly string[], flags: ServeFlags): FoundConfig | undefined {
  const [command, ...args] = words;
  if (command !== undefined && flags.config !== undefined) {
    throw new ConfigurationError(`--config: there is a command line already: ${words.join(" ")}`);
  }
  if (command === undefined) return findConfig(process.env, flags.config);
  if (/^https?:\/\//.test(command)) {
    throw new ConfigurationError(
      `${command}: connecting to a remote server is not supported by this version`,
    );
  }
  const program = flags.shell ? shell(words.join(" ")) : { command, args };
  return { mcpServers: { default: program }, baseDirectory: process.cwd() };
}

function shell(line: string): { command: string; args: string[] } {
  if (process.platform === "win32") return { command: "cmd.exe", args: ["/d", "/s", "/c", line] };
  return { command: process.env["SHELL"] ?? "/bin/sh", args: ["-c", line] };
}

function optionsOf(config: FoundConfig, flags: ServeFlags): ServeOptions {
  if (flags.spares !== "0") throw new ConfigurationError("--spares: this version supports 0");
  const allowedHosts = list(flags.allowedHosts);
  return {
    ...config,
    mcpServers: withFlags(config, flags),
    port: wholeNumber(flags.port, "--port", 0, 65_535),
    host: flags.host,
    authKeys: list(flags.authKey),
    // Not commander's env(): for a switch it takes any value for yes, "false" too.
    allowAnonymous: flags.allowAnonymous ?? truth(process.env["ALLOW_ANONYMOUS"], "ALLOW_ANONYMOUS"),
    corsOrigins: list(flags.corsOrigin),
    passEnv: list(flags.passEnv),
    allowEnv: list(flags.allowEnv),
    ...inputOptions(flags.inputMode, flags.stateSecret, "--input-mode"),
    ...(flags.paramHeaders !== undefined && {
      paramHeaders: oneOf(flags.paramHeaders, "--param-headers", PARAM_HEADERS),
    }),
    ...(allowedHosts.length > 0 && { allowedHosts }),
    ...numbersOf(flags),
    logger: createLogger(flags.debug ? "debug" : toLogLevel(flags.logLevel, "--log-level")),
  };
}

function withFlags({ mcpServers }: FoundConfig, flags: ServeFlags): ServeOptions["mcpServers"] {
  const { env, cwd, era } = flags;
  const tools = toolFilter(flags.allowTools, flags.denyTools);
  const settings = {
    ...(cwd !== undefined && { cwd }),
    ...(era !== undefined && { era: oneOf(era, "--era", ERA_SETTINGS) }),
  };
  const entries = Object.entries(mcpServers).map(([name, server]) => {
    const filter = { ...server.tools, ...tools };
    return [name, { ...server, env: { ...server.env, ...env }, ...settings, tools: filter }];
  });
  return Object.fromEntries(entries) as ServeOptions["mcpServers"];
}

const NUMBERS = {
  startTimeout: "startTimeoutMs",
  requestTimeout: "requestTimeoutMs",
  maxProcesses: "maxProcesses",
  maxBody: "maxBodyBytes",
  maxMessage: "maxMessageBytes",
} as const;

function numbersOf(flags: ServeFlags): Partial<Record<(typeof NUMBERS)[keyof typeof NUMBERS], number>> {
  const given = Object.entries(NUMBERS).flatMap(([flag, option]) => {
    const text = flags[flag as keyof typeof NUMBERS];
    return text === undefined
      ? []
      : [[option, wholeNumber(text, `--${flag.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`)]];
  });
  return Object.fromEntries(given) as Partial<Record<(typeof NUMBERS)[keyof typeof NUMBERS], number>>;
}
