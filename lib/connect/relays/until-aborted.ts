import { onAbort } from "../../lifetime.ts";

/**
 * Waits for a promise that never rejects, but no longer than until the signal fires: a client that does not read must
 * not keep its end from coming.
 */
export function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const off = onAbort(signal, resolve);
    void promise.then(() => {
      off();
      resolve();
    });
  });
}
