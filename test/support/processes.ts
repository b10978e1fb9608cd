import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";

import { until } from "./deadline.ts";

export interface ProcessInfo {
  readonly pid: number;
  readonly ppid: number;
  /** The first letter of the state: `Z` is a zombie. */
  readonly state: string;
  /** The arguments, joined with spaces. Empty for a zombie, where /proc exists. */
  readonly command: string;
}

const HAS_PROC = existsSync("/proc/self/stat");

/** The processes with the token in their arguments, without the calling one. */
export function processesWith(token: string): ProcessInfo[] {
  return allProcesses().filter(({ pid, command }) => pid !== process.pid && command.includes(token));
}

/** The children that have ended and that the process has not waited for. */
export function zombiesOf(pid: number): ProcessInfo[] {
  return allProcesses().filter(({ ppid, state }) => ppid === pid && state === "Z");
}

/** How many files the process has open; undefined where the system has no /proc. */
export function descriptorsOf(pid: number): number | undefined {
  return HAS_PROC ? readdirSync(`/proc/${pid}/fd`).length : undefined;
}

/** Whether the process runs. A zombie does not. */
export function isAlive(pid: number): boolean {
  const found = HAS_PROC ? readProc(pid) : fromPs().filter((info) => info.pid === pid);
  return found.some(({ state }) => state !== "Z" && state !== "X");
}

export interface GoneOptions {
  readonly withinMs?: number;
  readonly label?: string;
}

/** Mayfly may take 2100 milliseconds to end a process that does not want to; the rest is for a busy machine. */
const LADDER_MS = 5000;

/** Resolves when no process has the token in its arguments; else rejects and says which are left. */
export async function waitUntilGone(token: string, options: GoneOptions = {}): Promise<void> {
  const { withinMs = LADDER_MS, label = "no process is left" } = options;
  await until(() => processesWith(token).length === 0, {
    withinMs,
    label: () => [label, ...processesWith(token).map(describe)].join("\n  "),
  });
}

export function allProcesses(): ProcessInfo[] {
  return HAS_PROC ? fromProc() : fromPs();
}

function fromProc(): ProcessInfo[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => readProc(Number(pid)));
}

export function fromPs(): ProcessInfo[] {
  const output = execFileSync("ps", ["-A", "-ww", "-o", "pid=,ppid=,stat=,args="], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return output.split("\n").flatMap((line) => {
    const [, pid, ppid, state, command = ""] = /^\s*(\d+)\s+(\d+)\s+(\S)\S*\s*(.*)$/.exec(line) ?? [];
    return state === undefined ? [] : [{ pid: Number(pid), ppid: Number(ppid), state, command }];
  });
}

/** Empty for a process that has ended, perhaps between two looks. */
function readProc(pid: number): ProcessInfo[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name before it may hold spaces and parentheses.
    const [state = "", ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return [{ pid, ppid: Number(ppid), state, command }];
  } catch {
    return [];
  }
}

function describe({ pid, ppid, state, command }: ProcessInfo): string {
  return `${pid} (parent ${ppid}, state ${state}): ${command}`;
}
