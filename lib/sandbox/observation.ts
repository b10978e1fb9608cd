import { spawnChild } from "../child.ts";
import type { Child, ChildExit } from "../child.ts";
import type { ServerConfig } from "../configuration/options.ts";
import { inheritedEnvironment } from "../environment.ts";
import { settlesWithin } from "../promises.ts";
import { inSandbox, sandboxOf } from "./sandbox.ts";

/** Where experiments are made. */
export interface Laboratory {
  /** A folder of their own. */
  readonly folder: string;
  /** Of each of them. */
  readonly timeoutMs: number;
}

/** What was seen of a program, which is gone. */
export interface Observation {
  /** What it printed. */
  readonly lines: readonly string[];
  readonly stderr: string;
  /** The names of the variables that it was given. */
  readonly given: readonly string[];
  /** How it ended; undefined if it had to be ended. */
  readonly exit: ChildExit | undefined;
}

const LIMITS = { maxMessageBytes: 64 * 1024, killGraceMs: 100 };

/**
 * Starts a program as a server with that configuration is started, and waits for its end.
 * @throws ConfigurationError for a sandbox that this host cannot have; EMFILE
 */
export async function observe(config: ServerConfig, { folder, timeoutMs }: Laboratory): Promise<Observation> {
  const env = { ...inheritedEnvironment(process.env, []), ...config.env };
  const { command, args = [] } = config;
  const sandbox = sandboxOf("rung", config, { mcpServers: {}, baseDirectory: folder }, process.env);
  const child = spawnChild(inSandbox({ command, args, cwd: folder, env, sandbox }, env), LIMITS);
  const reading = linesOf(child);
  const isOver = await settlesWithin(child.exited, timeoutMs);
  // What is not read when the ending begins is not read at all.
  if (isOver) await reading;
  await child.end();
  const exit = isOver ? await child.exited : undefined;
  return { lines: await reading, stderr: child.stderrTail(), given: Object.keys(env), exit };
}

async function linesOf(child: Child): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of child.lines(new AbortController().signal)) lines.push(line);
  return lines;
}
