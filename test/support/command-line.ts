import { inOurWords, withCommand } from "../../lib/cli/arguments.ts";
import { connectCommand } from "../../lib/cli/connect.ts";
import { connectOptions } from "../../lib/cli/connect-options.ts";
import type { ConnectAsked } from "../../lib/cli/connect-options.ts";
import { inConnectWords } from "../../lib/cli/connect-words.ts";
import type { Flags } from "../../lib/cli/given.ts";
import { serveCommand } from "../../lib/cli/serve.ts";
import { readSettings } from "../../lib/cli/settings.ts";
import type { Asked } from "../../lib/cli/settings.ts";

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

/** What `mayfly` reads in a command line of `connect`, without running it. */
export function readConnectLine(
  argv: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): ConnectAsked {
  const command = connectCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  let read: ConnectAsked | undefined;
  command.action((url: string | undefined, flags: Flags) => {
    read = connectOptions(url, flags, variables);
  });
  const [first, ...rest] = withCommand(argv);
  if (first !== "connect") throw new Error(`this is a command line of ${first}`);
  const [, ...words] = inConnectWords(rest, command.options);
  command.parse(words, { from: "user" });
  if (!read) throw new Error("the command line was not run");
  return read;
}
