import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";
import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";

import { needDescriptors } from "./descriptors.ts";
import { readLines } from "./lines.ts";
import type { LineMemory } from "./line-memory.ts";
import { once, settlesWithin } from "./promises.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import { keepTail } from "./tail.ts";

/** What is spawned. The environment is complete: nothing of ours is added to it. */
export interface StdioServerParameters {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What `inSandbox` starts it in. */
  readonly sandbox?: Sandbox | undefined;
}

export interface ChildLimits {
  /** Bytes of one line of stdout. */
  readonly maxMessageBytes: number;
  /** Shared with all other processes. @default not counted */
  readonly lineMemory?: LineMemory;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly killGraceMs: number;
}

/** How a process ended. `error` is set, and nothing else, when it never started. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: NodeJS.ErrnoException;
}

/** One stdio server process, and everything that it started in its process group. */
export interface Child {
  readonly pid: number | undefined;
  /** Resolves when the process has exited, or has failed to start; never rejects. */
  readonly exited: Promise<ChildExit>;
  /**
   * Lines of stdout until it ends or the signal fires. To be read once.
   * @param maxBytes of them all, @default no limit
   */
  lines(signal: AbortSignal, maxBytes?: number): AsyncGenerator<string, void, void>;
  /** Writes one line. Resolves when there is room for the next one, also if the process no longer reads. */
  send(line: string): Promise<void>;
  /** The last bytes of stderr. */
  stderrTail(): string;
  /**
   * Ends the process and its group: stdin end, SIGTERM after 100 ms, SIGKILL after `killGraceMs` more.
   * Resolves when the process is gone; at the latest a second after SIGKILL, since a process in
   * uninterruptible sleep cannot be killed by anybody. Repeated calls share one ending.
   */
  end(): Promise<void>;
  /** SIGKILL to the group, at once and without waiting: for a host that is about to exit. */
  kill(): void;
}

/** Milliseconds that a server has for its own exit after stdin ends. Source: 2025-11-25/basic/lifecycle, Shutdown. */
const STDIN_GRACE_MS = 100;
/** Milliseconds to wait for an exit after SIGKILL. */
const REAP_MS = 1000;
/** Milliseconds between looks at a group whose leader is gone: no event tells of its end. */
const GROUP_POLL_MS = 20;
/** Milliseconds of silence after the exit before a stdout that somebody still holds counts as ended. */
const HELD_PIPE_MS = 250;

/**
 * Starts a server in a process group of its own. A failed start is an exit with `error`.
 * @throws EMFILE, ENFILE: there are no descriptors for another process
 */
export function spawnChild(parameters: StdioServerParameters, limits: ChildLimits): Child {
  needDescriptors();
  const server = start(parameters);
  const { stdin, stdout, stderr } = server;
  // execa resumes, a turn of the loop later, a stream that nobody reads: the first line would be lost.
  stdout.pause();
  for (const stream of [stdin, stdout, stderr]) stream.on("error", brokenPipe);
  const stderrTail = keepTail(stderr);
  const share = limits.lineMemory?.open();
  const exited = exitOf(server);
  const endOnce = once(() => endGroup(server, exited, limits.killGraceMs));
  // What a dead server leaves behind holds its pipes, and the reader would wait for it.
  void exited.then(async () => Promise.all([endOnce(), closeHeldPipe(stdout)]));
  return {
    pid: server.pid,
    exited,
    lines: (signal, maxBytes) => readLines(stdout, limits.maxMessageBytes, signal, { maxBytes, share }),
    send: writerTo(stdin),
    stderrTail,
    end: async () => {
      // Discarded and not closed: a server that still writes would die of EPIPE instead of shutting down.
      stdout.resume();
      // Nobody asks for the line after the answer.
      share?.close();
      await endOnce();
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
    },
    kill: () => void signalGroup(server, "SIGKILL"),
  };
}

/** With `pipe` for all three, Node's streams are sockets. */
type ServerProcess = ChildProcess &
  PromiseLike<{ readonly cause?: NodeJS.ErrnoException }> & {
    readonly stdin: Socket;
    readonly stdout: Socket;
    readonly stderr: Socket;
  };

const OPTIONS = {
  // The group is what can be killed whole: npx, uvx and sh start the real server as their own child.
  detached: true,
  extendEnv: false,
  buffer: false,
  reject: false,
  cleanup: false,
  forceKillAfterDelay: false,
  encoding: "buffer",
  stdin: "pipe",
  stdout: "pipe",
  stderr: "pipe",
} as const;

function start({ command, args, env, cwd }: StdioServerParameters): ServerProcess {
  return execa(command, args, { ...OPTIONS, env, cwd }) as unknown as ServerProcess;
}

/**
 * The `exit` event and not execa's promise: that one also waits for pipes, which a grandchild may hold for ever.
 * Without a process there is no such event, and the promise tells why.
 */
async function exitOf(server: ServerProcess): Promise<ChildExit> {
  if (server.pid === undefined) {
    const { cause } = await server;
    return { code: null, signal: null, error: cause ?? new Error("no process") };
  }
  return new Promise((resolve) => {
    server.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/** Waits once for all lines: taking a listener off for each of them would need the square of their number. */
function writerTo(stdin: Writable): Child["send"] {
  let room: Promise<void> | undefined;
  return (line) => {
    if (!stdin.writable || stdin.write(`${line}\n`)) return Promise.resolve();
    room ??= new Promise((resolve) => {
      const settle = (): void => {
        stdin.off("drain", settle).off("close", settle);
        room = undefined;
        resolve();
      };
      stdin.on("drain", settle).on("close", settle);
    });
    return room;
  };
}

/** The ladder of 2025-11-25/basic/lifecycle, Shutdown; then the same for whatever outlived the process. */
async function endGroup(server: ServerProcess, exited: Promise<ChildExit>, graceMs: number): Promise<void> {
  const killAt = performance.now() + STDIN_GRACE_MS + graceMs;
  server.stdin.end();
  if (!(await settlesWithin(exited, STDIN_GRACE_MS))) {
    signalGroup(server, "SIGTERM");
    if (!(await settlesWithin(exited, graceMs))) signalGroup(server, "SIGKILL");
    await settlesWithin(exited, REAP_MS);
  }
  await endOrphans(server, killAt);
}

/** Where nobody reaps orphans they stay in the group as zombies for ever, so the wait is bounded. */
async function endOrphans(server: ServerProcess, killAt: number): Promise<void> {
  let alive = signalGroup(server, "SIGTERM");
  while (alive && performance.now() < killAt) {
    await delay(GROUP_POLL_MS);
    alive = signalGroup(server, 0);
  }
  if (alive) signalGroup(server, "SIGKILL");
}

/** Whether the group is still there. Refused means gone: ESRCH, or on macOS EPERM for a group of zombies. */
function signalGroup(server: ServerProcess, signal: NodeJS.Signals | 0): boolean {
  if (server.pid === undefined) return false;
  try {
    return process.platform === "win32" ? server.kill(signal) : process.kill(-server.pid, signal);
  } catch {
    return false;
  }
}

/** A process that left the group can hold stdout open although nobody will write an answer any more. */
async function closeHeldPipe(stdout: Socket): Promise<void> {
  const closed = new Promise<void>((resolve) => stdout.once("close", () => resolve()));
  let seen = -1;
  while (!stdout.closed && (seen !== stdout.bytesRead || stdout.readableLength > 0)) {
    seen = stdout.bytesRead;
    await settlesWithin(closed, HELD_PIPE_MS);
  }
  stdout.destroy();
}

/** The reader learns of a broken pipe from the end of stdout, and says so with the exit code. */
function brokenPipe(): void {}
