import { spawnSync } from "node:child_process";
import { realpathSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";

import { ConfigurationError } from "../configuration/error.ts";
import { findProgram } from "../programs.ts";
import type { ProgramSearch } from "../programs.ts";
import type { Command } from "../resolve.ts";

/** Whether the command is Node, with a program or a text that it runs. */
export function isNode({ command }: Command): boolean {
  return command === process.execPath || /^node(?:js)?(?:\.exe)?$/.test(basename(command));
}

/** Options whose value is the next argument, and not the program. */
const WITH_VALUE = new Set([
  ...["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"],
  ...["--env-file", "--env-file-if-exists", "--title", "--input-type"],
]);
const TEXT = new Set(["-e", "--eval", "-p", "--print", "-pe"]);

/** The file that Node is to run; undefined if it runs a text. */
export function entryOf({ args }: Command, cwd: string): string | undefined {
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? "";
    if (TEXT.has(arg)) return undefined;
    if (arg === "--") return args[at + 1] === undefined ? undefined : resolve(cwd, args[at + 1] ?? "");
    if (!arg.startsWith("-")) return resolve(cwd, arg);
    if (WITH_VALUE.has(arg)) at += 1;
  }
  return undefined;
}

/** Milliseconds for a Node to tell its options; a busy machine takes one second. */
const ASKING_MS = 10_000;

/** What was answered, by file and time of its last change: nothing else is done while one is asked. */
const answers = new Map<string, ReadonlySet<string>>();

/**
 * The options that this Node knows. Another Node than the running one is started to ask it, once.
 * @throws ConfigurationError if it does not answer
 */
export function knownFlags({ command }: Command, search: ProgramSearch, place: string): ReadonlySet<string> {
  const found = findProgram(command, search);
  if (found === undefined) return ask(command, search, place);
  const file = realpathSync(found);
  if (file === realpathSync(process.execPath)) return process.allowedNodeEnvironmentFlags;
  const asked = `${statSync(file).mtimeMs} ${file}`;
  const known = answers.get(asked) ?? ask(file, search, place);
  answers.set(asked, known);
  return known;
}

function ask(command: string, search: ProgramSearch, place: string): ReadonlySet<string> {
  const { status, stdout, error } = spawnSync(command, ["-p", QUESTION], {
    ...search,
    encoding: "utf8",
    timeout: ASKING_MS,
    killSignal: "SIGKILL",
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (status === 0) return new Set(stdout.split("\n"));
  const { code = `exit code ${status}` } = (error ?? {}) as NodeJS.ErrnoException;
  throw new ConfigurationError(`${place}: this Node did not say which options it knows (${code})`);
}

const QUESTION = "[...process.allowedNodeEnvironmentFlags].join('\\n')";
