import { closeSync, openSync, readFileSync } from "node:fs";
import { devNull } from "node:os";

/**
 * Descriptors that the start of a process takes for a moment: both ends of three pipes, and what the system needs to
 * tell of a failure.
 */
const FOR_A_START = 12;

/**
 * Throws where there are not enough descriptors for a process. Without them Node's spawn gives a child without pipes,
 * and emits an error that nobody can listen for by then, which would end the host.
 * @throws what the system says: EMFILE, ENFILE
 */
export function needDescriptors(): void {
  const taken: number[] = [];
  try {
    while (taken.length < FOR_A_START) taken.push(openSync(devNull, "r"));
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
  }
}

/** Whether that is how the system says that there are no descriptors left, for this process or for all. */
export function isOutOfDescriptors(error: unknown): boolean {
  const { code } = Object(error) as NodeJS.ErrnoException;
  return code === "EMFILE" || code === "ENFILE";
}

/** How many descriptors this process may have, where the system tells it. Source: proc(5), /proc/pid/limits. */
function descriptorLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** What a process takes as long as it lives, and while it is started. */
const PER_PROCESS = 8;
/** Files, event loop, log. */
const FOR_US = 64;

/**
 * How many connections leave enough descriptors for that many processes; undefined where the system does not tell.
 * A few, also where there is room for none.
 */
export function roomForConnections(maxProcesses: number, limit = descriptorLimit()): number | undefined {
  return limit && Math.max(16, limit - FOR_US - PER_PROCESS * maxProcesses);
}
