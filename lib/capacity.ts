import { availableParallelism, totalmem } from "node:os";

import { MayflyError } from "./errors.ts";
import { once } from "./promises.ts";

/** Places for processes. A place is held from the spawn until the process is gone. */
export interface Capacity {
  /**
   * Waits for a place, first come first served.
   * @returns how to give the place back; repeated calls count once
   * @throws OVERLOADED if the queue is full or the wait too long; the signal's reason if that fires
   */
  acquire(signal: AbortSignal): Promise<() => void>;
}

/** Places that a process takes from the machine: it is mostly idle, so eight share a core; 128 MiB each. */
const PROCESSES_PER_CORE = 8;
const BYTES_PER_PROCESS = 128 * 1024 ** 2;
/** Milliseconds that a request may wait for a place. */
const MAX_WAIT_MS = 5000;

/** 8 for each core, but at most what half the memory holds at 128 MiB each, and at least 4. */
export function defaultMaxProcesses(): number {
  const byMemory = Math.floor(totalmem() / 2 / BYTES_PER_PROCESS);
  return Math.max(4, Math.min(availableParallelism() * PROCESSES_PER_CORE, byMemory));
}

/** As many requests may wait as processes may live. */
export function createCapacity(limit: number): Capacity {
  let free = limit;
  const queue = new Set<() => void>();
  const release = (): void => {
    const [next] = queue;
    if (next) next();
    else free += 1;
  };
  return {
    async acquire(signal) {
      signal.throwIfAborted();
      if (free > 0) free -= 1;
      else await waitForPlace(queue, limit, signal);
      return once(release);
    },
  };
}

function waitForPlace(queue: Set<() => void>, limit: number, signal: AbortSignal): Promise<void> {
  if (queue.size >= limit) throw overloaded(limit);
  return new Promise((resolve, reject) => {
    const settle = (result: () => void) => () => {
      queue.delete(enter);
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      result();
    };
    const enter = settle(resolve);
    const leave = settle(() => reject(signal.reason as Error));
    const timer = setTimeout(
      settle(() => reject(overloaded(limit))),
      MAX_WAIT_MS,
    );
    queue.add(enter);
    signal.addEventListener("abort", leave);
  });
}

function overloaded(limit: number): MayflyError {
  return new MayflyError("OVERLOADED", { values: { limit } });
}
