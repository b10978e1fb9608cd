import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import { until, within } from "./deadline.ts";
import { temporaryFolder } from "./files.ts";
import type { Scope } from "./files.ts";
import { waitUntilGone } from "./processes.ts";

/** What was built: `npm run build` comes before these tests. */
export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const WAIT_MS = 15_000;

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to PATH and a HOME of its own; nothing else comes from the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** Stands in the arguments of the servers: none may be left after the test. */
  readonly token?: string;
  /** How many files it may have open. Needs a shell. @default as many as the test */
  readonly descriptors?: number;
  /** Where it listens. @default 0, a free one */
  readonly port?: number;
  /** Whether it gets an input, which the test writes and ends. @default none */
  readonly input?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `mayfly` as a process of its own. */
export interface Command {
  readonly pid: number;
  readonly process: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when it has exited and both of its outputs have ended. */
  readonly exit: () => Promise<Exit>;
}

/** Runs `mayfly` to its end. */
export async function runCommand(
  t: Scope,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Exit> {
  return (await startCommand(t, args, options)).exit();
}

export interface ServingCommand extends Command {
  /** Without a path. */
  readonly url: string;
  /** The line that it prints as an example. */
  readonly example: () => Promise<string>;
}

/** Starts `mayfly --port N` with these arguments, and waits until it listens. */
export async function startServing(
  t: Scope,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<ServingCommand> {
  const [first, ...rest] = args;
  const port = ["--port", String(options.port ?? 0)];
  const words = first === "serve" ? [first, ...port, ...rest] : [...port, ...args];
  const command = await startCommand(t, words, options);
  const label = (): string => `mayfly prints what is needed: ${command.stdout()}${command.stderr()}`;
  const printed = async (pattern: RegExp): Promise<string> => {
    const find = (): string | undefined => pattern.exec(command.stdout())?.[1];
    return until(find, { withinMs: WAIT_MS, label });
  };
  const url = await printed(/^Mayfly listens on (https?:\/\/[^/\s]+)\/\S*$/m);
  return { ...command, url, example: () => printed(/^Try it[^\n]*:\n\n(curl .*)\n/m) };
}

/** Starts `mayfly` with these arguments; after the test it is killed, and no process with the token may be left. */
export async function startCommand(
  t: Scope,
  args: readonly string[],
  { cwd, env = {}, token, descriptors, input = false }: CommandOptions = {},
): Promise<Command> {
  const folder = await temporaryFolder(t);
  const [program = "", ...words] = limited([process.execPath, MAIN, ...args], descriptors);
  const child = spawn(program, words, {
    cwd: cwd ?? folder,
    env: { PATH: process.env["PATH"], HOME: folder, ...env },
    stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const { stdout: out, stderr: err } = child;
  if (!out || !err) throw new Error("both outputs are pipes");
  const [stdout, stderr] = [gathered(out), gathered(err)];
  t.after(async () => {
    // Two signals end it at once, and unlike SIGKILL they let it take its servers along.
    child.kill("SIGTERM");
    child.kill("SIGINT");
    await within(closed, WAIT_MS, "mayfly exits").finally(() => child.kill("SIGKILL"));
    if (token !== undefined) await waitUntilGone(token);
  });
  return {
    pid: child.pid ?? 0,
    process: child,
    stdout,
    stderr,
    exit: async () => {
      const [code, signal] = await within(closed, WAIT_MS, `mayfly ${args.join(" ")} exits`);
      return { code, signal, stdout: stdout(), stderr: stderr() };
    },
  };
}

/** The shell gives way to the command, which keeps its limit and its process id. */
export function limited(words: readonly string[], descriptors: number | undefined): readonly string[] {
  if (descriptors === undefined) return words;
  return ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', String(descriptors), ...words];
}

function gathered(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
