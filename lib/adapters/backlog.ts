import { setImmediate as nextTurn } from "node:timers/promises";

/** Milliseconds of a turn of the loop in which hardly anything was done. */
const QUIET_MS = 2;
/** In a row: one of them accepts a connection, the next ones read its request. */
const QUIET_TURNS = 4;
/** Milliseconds, where no turn is quiet. */
const PATIENCE_MS = 500;

/**
 * Lets those in who have connected already. The system accepts connections also while this process is busy, and cuts
 * off those that it has not handed over when nobody listens any more: a balancer has sent a request on them by then.
 */
export async function takeBacklog(): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (let quiet = 0; quiet < QUIET_TURNS && performance.now() < end;) {
    const startedAt = performance.now();
    await nextTurn();
    quiet = performance.now() - startedAt < QUIET_MS ? quiet + 1 : 0;
  }
}
