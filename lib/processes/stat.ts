import { readFileSync } from "node:fs";

/** Whether the process runs. Where nobody reaps orphans, one that has ended stays as a zombie, which does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return !hasEnded(fieldsOf(pid));
}

/**
 * When it was started, in ticks since boot as the system writes them; undefined for a process that has ended, and where
 * the system does not tell.
 */
export function startOf(pid: number): string | undefined {
  const fields = fieldsOf(pid);
  return hasEnded(fields) ? undefined : fields[19];
}

function hasEnded([state]: readonly string[]): boolean {
  return state === "Z" || state === "X";
}

/** From the state on. Source: proc(5), /proc/pid/stat. */
function fieldsOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name before it may hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
