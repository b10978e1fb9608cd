import { Command } from "commander";

import { ConfigurationError } from "../configuration/error.ts";
import { MAYFLY } from "../version.ts";
import { inOurWords, withCommand } from "./arguments.ts";
import { buildCommand } from "./build.ts";
import { connectCommand } from "./connect.ts";
import { inConnectWords } from "./connect-words.ts";
import { serveCommand } from "./serve.ts";

/** The exit code for a command line or a configuration that cannot work. */
const USAGE = 2;

const serve = serveCommand();
const connect = connectCommand();
const build = buildCommand();
const program = new Command("mayfly")
  .description(
    "Put any stdio MCP server behind stateless streamable HTTP, or be a stdio server in front of a remote one.",
  )
  .version(MAYFLY.version)
  .enablePositionalOptions()
  .addCommand(serve)
  .addCommand(connect)
  .addCommand(build)
  .addHelpText(
    "after",
    () =>
      `\nWith a URL alone it is connect: mayfly connect --help shows its options.` +
      `\nWithout a command, or with the command line of a server, it is serve:\n\n${serve.helpInformation()}`,
  );

for (const command of [program, serve, connect, build]) {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE));
}

try {
  const argv = withCommand(process.argv.slice(2));
  const words =
    argv[0] === "connect" ? inConnectWords(argv, connect.options) : inOurWords(argv, serve.options);
  await program.parseAsync(words, { from: "user" });
} catch (error) {
  console.error(`mayfly: ${(error as Error).message}`);
  process.exitCode = error instanceof ConfigurationError ? USAGE : 1;
}
