import { Command } from "commander";

import { connectCommand } from "./connect.ts";
import { inConnectWords } from "./connect-words.ts";
import { runProgram } from "./run-program.ts";

// `mayfly connect` and nothing else: program.ts has it too, and loads what the other commands need.
const connect = connectCommand();
const program = new Command("mayfly").addCommand(connect);

await runProgram(program, () => inConnectWords(process.argv.slice(2), connect.options));
