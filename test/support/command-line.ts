import { inOurWords, withCommand } from "../../lib/cli/arguments.ts";
import { serveCommand } from "../../lib/cli/serve.ts";
import { readSettings } from "../../lib/cli/settings.ts";
import type { Asked, Flags } from "../../lib/cli/settings.ts";

export interface ReadLine extends Asked {
  /** The server's own command. */
  readonly words: readonly string[];
}

/** What `mayfly` reads in a command line of `serve`, without running it. */
export function readLine(
  argv: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): ReadLine {
  const command = serveCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  let read: ReadLine | undefined;
  command.action((words: string[], flags: Flags) => {
    read = { words, ...readSettings(flags, variables) };
  });
  const [, ...words] = inOurWords(withCommand(argv), command.options);
  command.parse(words, { from: "user" });
  if (!read) throw new Error("the command line was not run");
  return read;
}
