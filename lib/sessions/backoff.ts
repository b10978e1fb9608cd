import { MayflyError } from "../errors.ts";

/** Keeps a server that ends again and again from being started again and again. */
export interface Backoff {
  /** @throws KEEPS_ENDING while it is too early for another start */
  admit(): void;
  /** The server has ended, or has not started at all. */
  noteFailure(): void;
  /** The server has been of use. */
  noteSuccess(): void;
}

/** Milliseconds from the second failure in a row to the next start; doubled with every other one. */
const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/**
 * The first start after a failure is free: a server may crash once.
 * @param server its name, for the error
 * @param now milliseconds from any fixed point
 */
export function createBackoff(server: string, now: () => number = () => performance.now()): Backoff {
  let failures = 0;
  let nextStartAt = 0;
  return {
    admit() {
      const retryAfterMs = Math.ceil(nextStartAt - now());
      if (retryAfterMs <= 0) return;
      const values = { server, failures, retryAfterMs };
      throw new MayflyError("KEEPS_ENDING", { values, data: { retryAfterMs } });
    },
    noteFailure() {
      failures += 1;
      const pauseMs = failures < 2 ? 0 : Math.min(FIRST_MS * 2 ** (failures - 2), LONGEST_MS);
      nextStartAt = now() + pauseMs;
    },
    noteSuccess() {
      failures = 0;
    },
  };
}
