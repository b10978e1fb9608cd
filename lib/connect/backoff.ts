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

/** Milliseconds between two attempts while somebody waits: their patience is shorter than the pauses become. */
const WAITED_MS = 1000;

/** Pauses between attempts, one after another. */
export interface Pauses {
  /** Resolves after that many milliseconds, or when the signal fires; earlier while somebody waits. */
  take(ms: number, signal: AbortSignal, waited: Waited): Promise<void>;
  /** Somebody has begun to wait for the attempt. */
  hurry(): void;
}

export interface Waited {
  /** Whether somebody waits for the attempt already. */
  readonly isAwaited: boolean;
  /** Milliseconds from the beginning of the pause to its end, at the least. @default 0, but never less than a second */
  readonly leastMs?: number;
}

export function createPauses(): Pauses {
  let hurry: () => void = nothing;
  return {
    async take(ms, signal, { isAwaited, leastMs = 0 }) {
      const over = new AbortController();
      const off = onAbort(signal, () => over.abort());
      const endsAt = performance.now() + Math.max(leastMs, WAITED_MS);
      let timer: NodeJS.Timeout | undefined;
      hurry = () => {
        timer ??= setTimeout(() => over.abort(), endsAt - performance.now());
      };
      if (isAwaited) hurry();
      await pause(ms, over.signal);
      clearTimeout(timer);
      hurry = nothing;
      off();
    },
    hurry: () => hurry(),
  };
}

function nothing(): void {}
