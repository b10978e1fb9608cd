import { onAbort } from "../lifetime.ts";

/** Milliseconds before the second attempt; doubled with every other one. */
const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/**
 * Milliseconds until the next attempt, after that many failures in a row: up to half of it is left to chance, so that
 * the clients of a server that comes back do not all come at once.
 */
export function pauseAfter(failures: number, random: () => number = Math.random): number {
  const longest = Math.min(FIRST_MS * 2 ** Math.max(0, failures - 1), LONGEST_MS);
  return longest * (1 - random() / 2);
}

/** Resolves after that many milliseconds, or when the signal fires. Leaves no timer behind. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      off();
      resolve();
    }, ms);
    const off = onAbort(signal, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Milliseconds of a pause that nobody ends. */
const LEAST_MS = 1000;

/** Pauses between attempts, one after another. */
export interface Pauses {
  /** Resolves after that many milliseconds, or when the signal fires, or when somebody hurries. */
  take(ms: number, signal: AbortSignal): Promise<void>;
  /** Somebody waits for the next attempt: it is made now, unless the last one was a moment ago. */
  hurry(): void;
}

export function createPauses(): Pauses {
  let current: { readonly startedAt: number; readonly over: AbortController } | undefined;
  return {
    async take(ms, signal) {
      const over = new AbortController();
      const off = onAbort(signal, () => over.abort());
      current = { startedAt: performance.now(), over };
      await pause(ms, over.signal);
      current = undefined;
      off();
    },
    hurry() {
      if (current && performance.now() - current.startedAt >= LEAST_MS) current.over.abort();
    },
  };
}
