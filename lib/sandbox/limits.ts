import { existsSync } from "node:fs";

import type { ServerLimits } from "../configuration/options.ts";
import { findProgram } from "../programs.ts";
import type { Command } from "../resolve.ts";

/** The limits that the system enforces; that of the heap is Node's own. */
export type SystemLimit = Exclude<keyof ServerLimits, "heapMiB">;

/** What sets limits for itself and then becomes the server, whose process id it keeps. */
export type Launcher = "sh" | "prlimit";

const SHELL = "/bin/sh";

/** Of `sh` every system has one but Windows; images that hold one program alone may have neither. */
export function findLauncher(path: string | undefined): Launcher | undefined {
  if (existsSync(SHELL)) return "sh";
  return findProgram("prlimit", { env: { PATH: path ?? "" }, cwd: "/" }) === undefined
    ? undefined
    : "prlimit";
}

/** The command, started under the limits. */
export function underLimits(command: Command, limits: ServerLimits, launcher: Launcher): Command {
  const set = settingsOf(limits);
  if (set.length === 0) return command;
  return launcher === "sh" ? byShell(command, set) : byPrlimit(command, set);
}

/** By the exit code, and by the word on stderr, a limit that could not be set is told from a server that failed. */
export const REFUSED_CODE = 125;
export const REFUSED_WORD = "mayfly: cannot set the limit";

/**
 * Takes `name option value` three by three, and behind `--` the command, which never passes through the shell's
 * grammar. `command` keeps functions out, which bash reads from its environment.
 */
const SCRIPT = `while [ "$1" != -- ]; do
  command ulimit "$2" "$3" || { echo "${REFUSED_WORD} $1" >&2; exit ${REFUSED_CODE}; }
  shift 3
done
shift
exec "$@"`;

/** One limit as the launchers write it. */
interface Setting {
  readonly name: SystemLimit;
  readonly ulimit: readonly (readonly [option: string, value: number])[];
  readonly prlimit: string;
}

const BYTES_PER_MIB = 1024 ** 2;
/** The unit of `ulimit -v`. */
const PER_KIB = 1024;
/** Of `ulimit -f` and `-c`, in POSIX mode, in which bash runs as `sh`. Source: POSIX.1-2024, ulimit. */
const PER_BLOCK = 512;
/** Seconds between SIGXCPU, which tells why, and SIGKILL. At the hard limit Linux would send SIGKILL at once. */
const CPU_GRACE_SECONDS = 1;

function settingsOf({ cpuSeconds, addressSpaceMiB, openFiles, fileMiB, coreMiB }: ServerLimits): Setting[] {
  return [
    ...(cpuSeconds === undefined ? [] : [cpuTime(cpuSeconds)]),
    ...bytes("addressSpaceMiB", addressSpaceMiB, "-v", PER_KIB, "as"),
    ...bytes("fileMiB", fileMiB, "-f", PER_BLOCK, "fsize"),
    ...bytes("coreMiB", coreMiB, "-c", PER_BLOCK, "core"),
    ...(openFiles === undefined ? [] : [files(openFiles)]),
  ];
}

function cpuTime(soft: number): Setting {
  const hard = soft + CPU_GRACE_SECONDS;
  const ulimit = [["-t", hard] as const, ["-St", soft] as const];
  return { name: "cpuSeconds", ulimit, prlimit: `--cpu=${soft}:${hard}` };
}

function files(count: number): Setting {
  return { name: "openFiles", ulimit: [["-n", count]], prlimit: `--nofile=${count}` };
}

function bytes(
  name: SystemLimit,
  mib: number | undefined,
  option: string,
  unit: number,
  long: string,
): Setting[] {
  if (mib === undefined) return [];
  const all = mib * BYTES_PER_MIB;
  return [{ name, ulimit: [[option, all / unit]], prlimit: `--${long}=${all}` }];
}

function byShell({ command, args }: Command, set: readonly Setting[]): Command {
  const words = set.flatMap(({ name, ulimit }) =>
    ulimit.flatMap(([option, value]) => [name, option, String(value)]),
  );
  return { command: SHELL, args: ["-c", SCRIPT, "sh", ...words, "--", command, ...args] };
}

function byPrlimit({ command, args }: Command, set: readonly Setting[]): Command {
  return { command: "prlimit", args: [...set.map(({ prlimit }) => prlimit), "--", command, ...args] };
}
