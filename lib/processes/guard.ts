import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Logger } from "../logger.ts";
import { settlesWithin } from "../promises.ts";
import { MARK } from "./marks.ts";

/**
 * A small program beside a host that lives long: when the host is killed and can do nothing any more, it ends the
 * processes and removes the files that are left.
 */
export interface Guard {
  /** A process group is alive from now on. @returns how to say that it is gone */
  watch(group: number): () => void;
  /** Resolves when the guard is gone too. Whoever calls it has ended all groups. */
  close(): Promise<void>;
}

/** For a host that ends before its processes could: a function. */
export const noGuard: Guard = { watch: () => () => undefined, close: () => Promise.resolve() };

/**
 * In the shell, as it needs hardly any memory. Its stdin ends when the host does, however that ends: the kernel closes
 * it, and not before a process that is just being started has become its own program. What is told of groups helps
 * where marks cannot be read: in a server that writes over its environment, and on systems without /proc.
 * $1: the start of the marks, $2: the start of the names of folders
 */
const PROGRAM = `
trap '' HUP INT QUIT TERM PIPE
groups=" "
while read -r what group; do
  case $what in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% $group *} \${groups#* $group }" ;;
    close) exit 0 ;;
  esac
done
for round in 1 2 3; do
  for group in $groups; do kill -s KILL -- "-$group"; done
  for file in $(grep -lsF -- "$1" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    kill -s KILL "\${pid%/environ}"
  done
  rm -rf -- "$2"*
  sleep 1
done
`;

/**
 * Is started with the first group, and again if it should end. On Windows there is none.
 * @param hostId see {@link createHostId}
 */
export function createGuard(hostId: string, logger: Logger): Guard {
  const groups = new Set<number>();
  let running: Running | undefined;
  let isClosed = false;
  let starts: readonly number[] = [];
  const mayBegin = (): boolean => {
    starts = starts.filter((at) => performance.now() - at < STARTS_IN_MS);
    return !isClosed && starts.length < MAX_STARTS;
  };
  const begin = (): void => {
    const started = start(hostId);
    running = started;
    starts = [...starts, performance.now()];
    void started.ended.then((reason) => {
      running = undefined;
      if (reason !== undefined)
        logger.warn({ reason }, "The guard has ended: a killed host may leave processes");
    });
    for (const group of groups) started.tell(`+ ${group}`);
  };
  return {
    watch(group) {
      groups.add(group);
      if (running) running.tell(`+ ${group}`);
      else if (mayBegin()) begin();
      return () => {
        groups.delete(group);
        running?.tell(`- ${group}`);
      };
    },
    async close() {
      isClosed = true;
      await running?.close();
    },
  };
}

/** Starts in that many milliseconds: where it ends again and again, more of them are no help. */
const MAX_STARTS = 5;
const STARTS_IN_MS = 60_000;

interface Running {
  readonly tell: (line: string) => void;
  /** Ends it. From now on the host waits for it, and does not end before. */
  readonly close: () => Promise<void>;
  /** Why it has ended, if it was not told to. */
  readonly ended: Promise<string | undefined>;
}

function start(hostId: string): Running {
  const args = ["-c", PROGRAM, "mayfly-guard", `${MARK}=${hostId}.`, join(tmpdir(), `mayfly-${hostId}-`)];
  // A session of its own: what ends the host by its group or its terminal must not end the guard.
  const options = { cwd: "/", detached: true, env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" } };
  const guard = spawn("/bin/sh", args, { ...options, stdio: ["pipe", "ignore", "ignore"] });
  // Without descriptors there is none, and an error follows that says so.
  const stdin = guard.stdin as Socket | undefined;
  // The host may end at any time, and a guard that has ended says so itself.
  guard.unref();
  stdin?.unref();
  stdin?.on("error", () => undefined);
  const ended = endOf(guard);
  const tell = (line: string): void => void stdin?.write(`${line}\n`);
  return {
    tell,
    ended,
    async close() {
      guard.ref();
      tell("close");
      // One that somebody has stopped reads nothing: SIGKILL reaches it all the same.
      if (await settlesWithin(ended, CLOSE_MS)) return;
      guard.kill("SIGKILL");
      await ended;
    },
  };
}

/** Milliseconds for a guard to end when it is told to: it mostly waits for that. */
const CLOSE_MS = 2000;

async function endOf(guard: ChildProcess): Promise<string | undefined> {
  try {
    const [code, signal] = (await once(guard, "exit")) as [number | null, NodeJS.Signals | null];
    return code === 0 ? undefined : (signal ?? `exit code ${code}`);
  } catch (error) {
    return (error as Error).message;
  }
}
