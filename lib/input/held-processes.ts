import { randomUUID } from "node:crypto";

import { ownFirst } from "../places.ts";
import type { Places } from "../places.ts";
import { MayflyError } from "../errors.ts";
import { MAX_TIMER_MS } from "../promises.ts";

/** A process that waits for a client to come back with answers, and how it goes on then. */
export interface HeldProcess<Resumed> {
  /** Whose request it is. */
  readonly principal: string;
  /** What a retry must be about to meet it. */
  readonly binding: string;
  readonly resumed: Resumed;
  /** When it must be over at the latest, however often its client comes back: milliseconds since the epoch. */
  readonly until: number;
  /** Resolves when the process has ended by itself. */
  readonly exited: Promise<unknown>;
  end(): void;
}

/** The processes of a host that wait, each under a handle that travels as `requestState`. */
export interface HeldProcesses<Resumed> {
  /**
   * Where there is no place, the oldest of the same caller gives way, or else the oldest of all.
   * @returns the handle
   * @throws NO_PLACE_TO_WAIT, NO_SHARE_LEFT, SHUTTING_DOWN
   */
  keep(held: HeldProcess<Resumed>): string;
  /**
   * What waits under a handle, which is good for once.
   * @throws CONTINUATION_EXPIRED
   */
  take(handle: unknown, binding: string): HeldProcess<Resumed>;
  /** Ends all of them, and keeps no more. */
  endAll(): void;
}

/** Milliseconds that a client has for its answer. */
const IDLE_LIMIT_MS = 5 * 60 * 1000;
/** However many processes a host may have. */
const MAX_HELD = 64;

interface Entry<Resumed> {
  readonly held: HeldProcess<Resumed>;
  readonly timer: NodeJS.Timeout;
  readonly release: () => void;
}

/** @param places shared with whatever else lingers */
export function createHeldProcesses<Resumed>(
  places: Places,
  idleLimitMs = IDLE_LIMIT_MS,
): HeldProcesses<Resumed> {
  const waiting = new Map<unknown, Entry<Resumed>>();
  let isOver = false;
  const forget = (handle: unknown): HeldProcess<Resumed> | undefined => {
    const entry = waiting.get(handle);
    clearTimeout(entry?.timer);
    waiting.delete(handle);
    entry?.release();
    return entry?.held;
  };
  const end = (handle: unknown): void => forget(handle)?.end();
  const place = (principal: string): (() => void) => {
    const all = [...waiting].map(([handle, { held }]) => ({ handle, principal: held.principal }));
    const first = ownFirst(all, principal)[0];
    if (waiting.size >= MAX_HELD) end(first?.handle);
    try {
      return places.take({ principal });
    } catch (error) {
      if (!first || !waiting.has(first.handle) || !helps(first, principal, error)) throw error;
      end(first.handle);
      return places.take({ principal });
    }
  };
  return {
    keep(held) {
      if (isOver) throw new MayflyError("SHUTTING_DOWN");
      const handle = `mayfly-held.${randomUUID()}`;
      const release = place(held.principal);
      const restMs = Math.min(idleLimitMs, held.until - Date.now(), MAX_TIMER_MS);
      waiting.set(handle, { held, release, timer: setTimeout(end, restMs, handle) });
      void held.exited.then(() => end(handle));
      return handle;
    },
    take(handle, binding) {
      const entry = waiting.get(handle);
      if (entry?.held.binding !== binding) throw new MayflyError("CONTINUATION_EXPIRED");
      forget(handle);
      return entry.held;
    },
    endAll() {
      isOver = true;
      [...waiting.keys()].forEach(end);
    },
  };
}

/** What another caller has is of no use to one who has its share. */
function helps(first: { readonly principal: string }, principal: string, error: unknown): boolean {
  const isShare = error instanceof MayflyError && error.code === "NO_SHARE_LEFT";
  return !isShare || first.principal === principal;
}
