import { readFileSync, readlinkSync } from "node:fs";

/** A process of ours, and when it was started, in milliseconds as `performance.now()` has them. */
export interface Born {
  readonly pid: number;
  readonly startedAt: number;
}

/** What is known of the numbers of processes. */
interface Numbers {
  /** Milliseconds since the process in question was started. */
  readonly ageMs: number;
  /** The one that was given out last. */
  readonly last: number;
  /** How many there are. */
  readonly max: number;
  /** Whether /proc shows the numbers that we know our processes by. */
  readonly isOurs: boolean;
}

/**
 * Numbers that a machine gives out in a millisecond, at most, however many cores it has: threads take them too, and each
 * is taken under one lock of the system, for about a microsecond.
 */
const PER_MS = 1000;

/** Whether all processes with smaller numbers than that one are older: numbers are given out in turn. */
export function tellsAge(pid: number, { ageMs, last, max, isOurs }: Numbers): boolean {
  return isOurs && last >= pid && ageMs < max / PER_MS;
}

/** The number up to which processes are older than that one; 0 where numbers do not tell. */
export function olderUpTo({ pid, startedAt }: Born): number {
  const numbers = { ageMs: performance.now() - startedAt, ...known() };
  return tellsAge(pid, numbers) ? pid : 0;
}

/** Sources: proc(5), /proc/loadavg, of which the last field is a number, and /proc/sys/kernel/pid_max. */
function known(): Omit<Numbers, "ageMs"> {
  try {
    const last = Number(readFileSync("/proc/loadavg", "latin1").trim().split(" ").at(-1));
    const max = Number(readFileSync("/proc/sys/kernel/pid_max", "latin1"));
    return { last, max, isOurs: readlinkSync("/proc/self") === String(process.pid) };
  } catch {
    // Without them nothing can be told by a number, and all processes are looked at.
    return { last: 0, max: 0, isOurs: false };
  }
}
