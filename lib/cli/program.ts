import { Command } from "commander";

import { MAYFLY } from "../version.ts";
import { inOurWords, withCommand } from "./arguments.ts";
import { buildCommand } from "./build.ts";
import { connectCommand } from "./connect.ts";
import { inConnectWords } from "./connect-words.ts";
import { runProgram } from "./run-program.ts";
import { serveCommand } from "./serve.ts";

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

await runProgram(program, () => {
  const argv = withCommand(process.argv.slice(2));
  return argv[0] === "connect" ? inConnectWords(argv, connect.options) : inOurWords(argv, serve.options);
});
