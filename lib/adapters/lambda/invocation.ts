import type { RequestContext } from "../../incoming.ts";
import type { LambdaContext } from "./platform.ts";

/** One event, and what must be over before its handler is: the platform freezes whatever still runs then. */
export interface Invocation {
  readonly context: RequestContext;
  /** Resolves when no process of the invocation is left. */
  settled(): Promise<void>;
}

/** Milliseconds kept back for a process that does not want to end, beside those for its answer (`lifetime.ts`). */
const ENDING_MS = 500;

export function createInvocation({ getRemainingTimeInMillis }: LambdaContext): Invocation {
  const pending: Promise<unknown>[] = [];
  const deadline = Date.now() + getRemainingTimeInMillis() - ENDING_MS;
  return {
    context: { deadline, waitUntil: (promise) => void pending.push(promise) },
    settled: async () => {
      while (pending.length > 0) await Promise.allSettled(pending.splice(0));
    },
  };
}
