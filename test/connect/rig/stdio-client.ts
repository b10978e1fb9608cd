import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";

import { until, within } from "../../support/deadline.ts";
import type { Scope } from "../../support/files.ts";
import { initialize, notification } from "../../support/rpc.ts";
import type { Id, InitializeOptions, RequestBody } from "../../support/rpc.ts";
import type { Program } from "./programs.ts";

/** A client of stdio that shows the text of what comes. Every wait has a deadline. */
export interface StdioClient {
  readonly process: ChildProcessWithoutNullStreams;
  /** All lines that came, without their line feeds. */
  readonly lines: readonly Line[];
  readonly stderr: () => string;
  /** Writes a message as a line. A text is written as it is. */
  send(message: object | string): void;
  /** Sends the request; the line that answers it. */
  ask(request: RequestBody): Promise<Line>;
  /** The first line that matches and was not taken before; it may come later. */
  take(match: (message: Said) => boolean, label: string): Promise<Line>;
  handshake(options?: InitializeOptions): Promise<Line>;
  /** Ends its stdin; what it exits with. */
  end(withinMs?: number): Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
}

export interface Line {
  readonly text: string;
  readonly message: Said;
  /** `performance.now()` when it had come. */
  readonly at: number;
}

export interface Said {
  readonly id?: Id;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

export interface StdioOptions {
  /** Called with each line as it comes. */
  readonly onLine?: (line: Line) => void;
  readonly waitMs?: number;
  /** Whether there is a channel for messages between the processes too. */
  readonly ipc?: boolean;
}

const WAIT_MS = 30_000;
const NEWLINE = 0x0a;

/** Starts a stdio server; after the test it is killed, if it has not ended. */
export function startStdio(
  t: Scope,
  { command, args, env }: Program,
  { onLine, waitMs = WAIT_MS, ipc = false }: StdioOptions = {},
): StdioClient {
  const child = spawn(command, args, {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["pipe", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
  }) as ChildProcessWithoutNullStreams;
  const exited = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  t.after(async () => {
    child.kill("SIGKILL");
    await within(exited, waitMs, "the stdio server ends");
  });
  const exit = exited.then(([code]) => assert.fail(`it has exited with ${code}`));
  // It is expected in the end.
  exit.catch(() => undefined);
  // Whoever writes to one that has ended sees that by its exit.
  child.stdin.on("error", () => undefined);
  const [lines, taken, stderr]: [Line[], Set<Line>, Buffer[]] = [[], new Set(), []];
  /** What resolves the requests that wait, by their ids. */
  const waiting = new Map<Id, (line: Line) => void>();
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  onLines(child, (text) => {
    const line = { text, message: JSON.parse(text) as Said, at: performance.now() };
    lines.push(line);
    onLine?.(line);
    const { id, method } = line.message;
    if (id !== undefined && method === undefined) waiting.get(id)?.(line);
  });
  const client: StdioClient = {
    process: child,
    lines,
    stderr: () => Buffer.concat(stderr).toString(),
    send: (message) =>
      void child.stdin.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`),
    async ask(request) {
      const answer = new Promise<Line>((resolve) => waiting.set(request.id, resolve));
      client.send(request);
      const label = `the answer to ${JSON.stringify(request).slice(0, 200)}`;
      return within(Promise.race([answer, exit]), waitMs, label).catch((error: Error) => {
        throw new Error(`${error.message}; stderr ends with: ${client.stderr().slice(-500)}`);
      });
    },
    async take(match, label) {
      const find = (): Line | undefined => lines.find((line) => !taken.has(line) && match(line.message));
      const line = await until(find, {
        withinMs: waitMs,
        label: () => `${label}; ${client.stderr().slice(-500)}`,
      });
      taken.add(line);
      return line;
    },
    async handshake(options) {
      const answer = await client.ask(initialize(options));
      client.send(notification("notifications/initialized"));
      return answer;
    },
    async end(withinMs = waitMs) {
      child.stdin.end();
      return within(exited, withinMs, "it exits at the end of its stdin");
    },
  };
  return client;
}

/** Not readline: it ends a line at U+2028 too. */
function onLines({ stdout }: ChildProcessWithoutNullStreams, handle: (text: string) => void): void {
  let pieces: Buffer[] = [];
  stdout.on("data", (chunk: Buffer) => {
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      handle(Buffer.concat([...pieces, rest.subarray(0, end)]).toString());
      pieces = [];
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) pieces.push(rest);
  });
}
