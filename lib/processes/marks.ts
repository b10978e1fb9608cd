import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";

import { isOutOfDescriptors } from "../descriptors.ts";

/**
 * The variable by which what a server started is known as its own, also when it has left the process group: whatever
 * does not clear its environment inherits it.
 */
export const MARK = "MAYFLY_PROCESS";

/** A process that runs, and the mark that it was started with. */
export interface Marked {
  readonly pid: number;
  readonly mark: string;
}

/** Whether this system shows the environments of processes. Source: proc(5), /proc/pid/environ. */
export const SHOWS_MARKS = existsSync("/proc/self/environ");

/** Processes looked at in one go: each takes some ten microseconds, in which nothing else runs. */
const AT_ONCE = 50;

/**
 * All processes that have a mark and that we may see.
 * @param after only those with a larger number, @default any
 * @throws EMFILE, ENFILE, if they cannot be looked at now
 */
export async function markedProcesses(after = 0): Promise<Marked[]> {
  if (!SHOWS_MARKS) return [];
  const found: Marked[] = [];
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > after);
  for (let at = 0; at < pids.length; at += AT_ONCE) {
    for (const pid of pids.slice(at, at + AT_ONCE)) {
      const mark = markOf(pid);
      if (mark !== undefined) found.push({ pid, mark });
    }
    await nextTurn();
  }
  return found;
}

function markOf(pid: number): string | undefined {
  const name = `\0${MARK}=`;
  const all = `\0${environmentOf(pid)}`;
  const at = all.indexOf(name);
  return at === -1 ? undefined : all.slice(at + name.length, all.indexOf("\0", at + 1));
}

/** Empty for a zombie, for one that has ended since we looked, and for one that is somebody else's. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch (error) {
    if (isOutOfDescriptors(error)) throw error;
    return "";
  }
}

/** Ends those processes. @returns how many there were */
export function killAll(processes: readonly Marked[]): number {
  return processes.filter(({ pid }) => kill(pid)).length;
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
    return false;
  }
}
