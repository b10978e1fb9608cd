import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";

import { within } from "./deadline.ts";
import { fixture } from "./fixture.ts";
import { waitUntilGone } from "./processes.ts";
import { initialize, notification } from "./rpc.ts";
import type { RequestBody } from "./rpc.ts";

export interface Answer {
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A fixture, and this end of its pipes. Every wait has a deadline of five seconds. */
export interface Peer {
  readonly pid: number;
  readonly token: string;
  readonly process: ChildProcessWithoutNullStreams;
  /** Resolves when the server has exited, whoever still holds its pipes. */
  exited(): Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
  /** Writes a line. A text is written as it is. */
  send(message: object | string): void;
  /** The next line of stdout, without its line feed; undefined at its end. */
  line(): Promise<string | undefined>;
  /** Sends the request; the lines that come, up to the one that answers it. */
  exchange(request: RequestBody): Promise<string[]>;
  /** Sends the request; what answers it. */
  answer(request: RequestBody): Promise<Answer>;
  handshake(): Promise<Answer>;
  stderr(): string;
}

export interface PeerOptions {
  readonly args?: readonly string[];
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
}

const WAIT_MS = 5000;

/** Starts test/fixtures/servers/<name>.mjs in a process group of its own, which is gone after the test. */
export function startPeer(t: TestContext, name: string, { args = [], env = {} }: PeerOptions = {}): Peer {
  const { command, args: allArgs, token } = fixture(name, ...args);
  const server = spawn(command, allArgs, { detached: true, env: { ...process.env, ...env } });
  // A server that has ended before it reads: the test sees that by its exit.
  server.stdin.on("error", () => undefined);
  t.after(async () => {
    killGroup(server);
    await waitUntilGone(token, { label: `${name} and what it started are gone` });
  });
  return peerOf(server, name, token);
}

function peerOf(server: ChildProcessWithoutNullStreams, name: string, token: string): Peer {
  const { pid = 0, stdin, stdout, stderr } = server;
  const exit = once(server, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  // A failed start rejects it, and not every test waits for the exit.
  exit.catch(() => undefined);
  const lines = linesOf(stdout);
  const peer: Peer = {
    pid,
    token,
    process: server,
    exited: () => within(exit, WAIT_MS, `${name} exits`),
    send: (message) =>
      void stdin.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`),
    line: async () => (await within(lines.next(), WAIT_MS, `a line of ${name}`)).value ?? undefined,
    exchange: (request) => exchange(peer, request),
    answer: async (request) => JSON.parse((await peer.exchange(request)).at(-1) ?? "") as Answer,
    handshake: () => handshake(peer),
    stderr: gathered(stderr),
  };
  return peer;
}

async function exchange(peer: Peer, request: RequestBody): Promise<string[]> {
  const lines: string[] = [];
  peer.send(request);
  for (let line = await peer.line(); line !== undefined; line = await peer.line()) {
    lines.push(line);
    if (answers(line, request)) return lines;
  }
  throw new Error(`stdout ended without an answer to ${JSON.stringify(request)}`);
}

function answers(line: string, request: RequestBody): boolean {
  const message = parsed(line) as Partial<RequestBody> | null | undefined;
  return message?.id === request.id && message.method === undefined;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function handshake(peer: Peer): Promise<Answer> {
  const answer = await peer.answer(initialize());
  peer.send(notification("notifications/initialized"));
  return answer;
}

function killGroup({ pid }: ChildProcessWithoutNullStreams): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch (error) {
    // ESRCH: it has ended by itself. EPERM: macOS, for a group of zombies.
    if (!["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function gathered(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

async function* linesOf(stream: Readable): AsyncGenerator<string, void, void> {
  let pieces: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let rest = chunk;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield Buffer.concat([...pieces, rest.subarray(0, end)]).toString();
      pieces = [];
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) pieces.push(rest);
  }
  if (pieces.length > 0) yield Buffer.concat(pieces).toString();
}
