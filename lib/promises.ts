/** The longest time of a timer: Node takes a longer one for a single millisecond. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Whether the promise settles within that many milliseconds. Leaves no timer behind, and never rejects. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(settled, settled), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds that a function of the operator's has for a decision that a request waits for. */
const DECISION_LIMIT_MS = 10_000;

/**
 * What a function of the operator's decides, which may look it up somewhere.
 * @param name of the function
 * @throws what the function throws; an Error if it takes longer than 10 seconds
 */
export async function decided<Decision>(
  name: string,
  decide: () => Decision | Promise<Decision>,
): Promise<Decision> {
  const decision = (async () => decide())();
  if (await settlesWithin(decision, DECISION_LIMIT_MS)) return decision;
  throw new Error(`${name} has not answered after ${DECISION_LIMIT_MS / 1000} seconds`);
}

/** The function, run at its first call only: later calls get the result of that one. */
export function once<Result>(run: () => Result): () => Result {
  let first: { readonly result: Result } | undefined;
  return () => (first ??= { result: run() }).result;
}

function settled(): boolean {
  return true;
}

/** A promise, and what resolves it. */
export function deferred<Value = void>(): {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
} {
  let settle: ((value: Value) => void) | undefined;
  const promise = new Promise<Value>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle?.(value) };
}

/** Calls what somebody else has written, which may throw, now or as a promise, and must not change what we do. */
export function attempt(run: () => unknown, failed: (error: unknown) => void): void {
  try {
    Promise.resolve(run()).catch(failed);
  } catch (error) {
    failed(error);
  }
}
