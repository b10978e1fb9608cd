import { readFileSync } from "node:fs";

import { until } from "../../test/support/deadline.ts";
import { allProcesses } from "../../test/support/processes.ts";
import { cpuMsOf } from "../ways.ts";

/** Milliseconds of CPU, user and system. */
export interface Cpu {
  readonly own: number;
  /** Of the children that have ended, and of theirs. */
  readonly children: number;
}

/** Linux gives those of children in hundredths of a second. Source: proc_pid_stat(5). */
const TICK_MS = 10;

export function cpuOf(pid: number): Cpu {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [childUser = 0, childSystem = 0] = fields.slice(13, 15);
  return { own: cpuMsOf(pid), children: (childUser + childSystem) * TICK_MS };
}

/** The processes of servers that an adapter runs now: its guard is none. */
export function serversOf(pid: number): number[] {
  return allProcesses()
    .filter(({ ppid, command }) => ppid === pid && !command.includes("mayfly-guard"))
    .map((process) => process.pid);
}

export async function idle(pid: number): Promise<void> {
  await until(() => serversOf(pid).length === 0, { withinMs: 10_000, label: "the servers are gone" });
}

/** MiB of memory, of which what several processes share counts in parts. */
export function memoryOf(pid: number): number {
  const [, kib] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return Number(kib) / 1024;
}
