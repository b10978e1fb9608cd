import type { Command } from "commander";

import { ConfigurationError } from "../configuration/error.ts";

/** The exit code for a command line or a configuration that cannot work. */
const USAGE = 2;

/** Runs a command line. @param words may throw as the commands do */
export async function runProgram(program: Command, words: () => readonly string[]): Promise<void> {
  for (const command of [program, ...program.commands]) {
    command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE));
  }
  try {
    await program.parseAsync(words(), { from: "user" });
  } catch (error) {
    console.error(`mayfly: ${(error as Error).message}`);
    process.exitCode = error instanceof ConfigurationError ? USAGE : 1;
  }
}
