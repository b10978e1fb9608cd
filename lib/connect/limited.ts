import { onAbort } from "../lifetime.ts";

export interface Limit {
  readonly ms: number;
  /** The reason of the signal then. */
  readonly late?: Error | undefined;
}

/**
 * Runs something with a signal that fires with another one, or after that many milliseconds. Leaves no timer behind, and
 * lets go of the other signal, which may live far longer.
 */
export async function limited<Value>(
  signal: AbortSignal,
  { ms, late }: Limit,
  run: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const limit = new AbortController();
  const off = onAbort(signal, () => limit.abort(signal.reason));
  const timer = setTimeout(() => limit.abort(late), ms);
  try {
    return await run(limit.signal);
  } finally {
    clearTimeout(timer);
    off();
  }
}
