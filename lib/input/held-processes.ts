import { randomUUID } from "node:crypto";

import { MayflyError } from "../errors.ts";
import { MAX_TIMER_MS } from "../promises.ts";

/** A process that waits for a client to come back with answers, and how it goes on then. */
export interface HeldProcess<Resumed> {
  /** What a retry must be about to meet it. */
  readonly binding: string;
  readonly resumed: Resumed;
  /** Resolves when the process has ended by itself. */
  readonly exited: Promise<unknown>;
  end(): void;
}

/** The processes of a host that wait, each under a handle that travels as `requestState`. */
export interface HeldProcesses<Resumed> {
  /** @returns the handle */
  keep(held: HeldProcess<Resumed>): string;
  /**
   * What waits under a handle, which is good for once.
   * @throws CONTINUATION_EXPIRED
   */
  take(handle: unknown, binding: string): HeldProcess<Resumed>;
  /** Ends all of them, and whatever is still to come. */
  endAll(): void;
}

/** Milliseconds that a client has for its answer. */
const IDLE_LIMIT_MS = 5 * 60 * 1000;
/** However many processes a host may have. */
const MAX_HELD = 64;

/** @param maxProcesses that may be alive at once; half of them may wait, so that there is room for other requests */
export function createHeldProcesses<Resumed>(
  maxProcesses: number,
  idleLimitMs = IDLE_LIMIT_MS,
): HeldProcesses<Resumed> {
  const limit = Math.max(1, Math.min(MAX_HELD, Math.floor(maxProcesses / 2)));
  const waiting = new Map<unknown, HeldProcess<Resumed> & { readonly timer: NodeJS.Timeout }>();
  const forget = (handle: unknown): HeldProcess<Resumed> | undefined => {
    const held = waiting.get(handle);
    clearTimeout(held?.timer);
    waiting.delete(handle);
    return held;
  };
  const end = (handle: unknown): void => forget(handle)?.end();
  let isOver = false;
  return {
    keep(held) {
      const [oldest] = waiting.keys();
      if (waiting.size >= limit) end(oldest);
      const handle = `mayfly-held.${randomUUID()}`;
      if (isOver) {
        held.end();
        return handle;
      }
      const timer = setTimeout(end, Math.min(idleLimitMs, MAX_TIMER_MS), handle);
      waiting.set(handle, { ...held, timer });
      void held.exited.then(() => end(handle));
      return handle;
    },
    take(handle, binding) {
      const held = waiting.get(handle);
      if (held?.binding !== binding) throw new MayflyError("CONTINUATION_EXPIRED");
      forget(handle);
      return held;
    },
    endAll() {
      isOver = true;
      [...waiting.keys()].forEach(end);
    },
  };
}
