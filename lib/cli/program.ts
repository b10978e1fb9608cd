import { Command } from "commander";

import { ConfigurationError } from "../configuration/error.ts";
import { MAYFLY } from "../version.ts";
import { inOurWords, withCommand } from "./arguments.ts";
import { buildCommand } from "./build.ts";
import { serveCommand } from "./serve.ts";

/** The exit code for a command line or a configuration that cannot work. */
const USAGE = 2;

const serve = serveCommand();
const build = buildCommand();
const program = new Command("mayfly")
  .description("Put any stdio MCP server behind stateless streamable HTTP: one request, one process.")
  .version(MAYFLY.version)
  .enablePositionalOptions()
  .addCommand(serve)
  .addCommand(build)
  .addHelpText(
    "after",
    () =>
      `\nWithout a command, or with the command line of a server, it is serve:\n\n${serve.helpInformation()}`,
  );

for (const command of [program, serve, build]) {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE));
}

try {
  await program.parseAsync(inOurWords(withCommand(process.argv.slice(2)), serve.options), { from: "user" });
} catch (error) {
  console.error(`mayfly: ${(error as Error).message}`);
  process.exitCode = error instanceof ConfigurationError ? USAGE : 1;
}
