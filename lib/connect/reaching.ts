import { MayflyError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { deferred, settlesWithin } from "../promises.ts";
import { createPauses, pauseAfter } from "./backoff.ts";
import { Unavailable } from "./link.ts";
import type { Link } from "./link.ts";
import { reasonOf } from "./staying/outage-log.ts";

/** Tries to reach a remote until it is there. */
export interface Reaching {
  /** The link, once there is one. */
  readonly link: Link | undefined;
  /**
   * Waits for the link, and has it tried every second for so long, unless the remote has said when to come back.
   * @param ms that a remote which cannot be reached has to come back
   * @throws what stands in the way
   */
  wait(ms: number): Promise<Link>;
  /** Whether it has been given up: what stands in the way does not pass by itself. */
  readonly isOver: boolean;
  /** Ends the attempts, or the link. Never rejects. */
  close(): Promise<void>;
}

export interface ReachingOptions {
  readonly open: (signal: AbortSignal) => Promise<Link>;
  /** Origin and path of the remote, for the log. */
  readonly where: string;
  readonly logger: Logger;
}

export function reach({ open, where, logger }: ReachingOptions): Reaching {
  const stopped = new AbortController();
  const failed = deferred();
  const state: State = { link: undefined, isOver: false, lastError: undefined, waiters: 0 };
  const pauses = createPauses();
  const attempts = tryOn();
  const over = attempts.catch(() => {
    state.isOver = true;
    failed.resolve();
  });

  async function tryOn(): Promise<Link> {
    for (let failures = 0; ; failures += 1) {
      try {
        state.link = await open(stopped.signal);
        if (failures > 0) logger.info({}, `${where} is there again`);
        return state.link;
      } catch (error) {
        if (stopped.signal.aborted || !isPassing(error)) throw error;
        if (failures === 0) logger.warn({}, `cannot reach ${where}: ${textOf(error)}; trying again`);
        state.lastError = error;
        failed.resolve();
        const leastMs = wantedMs(error);
        const ms = Math.max(pauseAfter(failures + 1), leastMs);
        await pauses.take(ms, stopped.signal, { isAwaited: state.waiters > 0, leastMs });
      }
    }
  }

  return {
    get link() {
      return state.link;
    },
    get isOver() {
      return state.isOver;
    },
    async wait(ms) {
      pauses.hurry();
      state.waiters += 1;
      const isSettled = await settlesWithin(attempts, ms);
      state.waiters -= 1;
      if (isSettled) return attempts;
      // A remote that takes its time over the first attempt is there, and its client knows how long it waits.
      await Promise.race([over, failed.promise]);
      if (state.link || state.isOver) return attempts;
      throw causeOf(state.lastError);
    },
    async close() {
      stopped.abort();
      await over;
      await state.link?.close();
    },
  };
}

interface State {
  link: Link | undefined;
  isOver: boolean;
  lastError: unknown;
  /** Requests that wait now. */
  waiters: number;
}

function isPassing(error: unknown): boolean {
  if (error instanceof Unavailable) return true;
  // Whatever opens a link may be done twice.
  return (
    error instanceof MayflyError && (error.code === "REMOTE_UNREACHABLE" || error.code === "REMOTE_LOST")
  );
}

/** What a client is told. */
function causeOf(error: unknown): unknown {
  return error instanceof Unavailable ? error.cause : error;
}

function textOf(error: unknown): string {
  const cause = causeOf(error);
  return cause instanceof MayflyError ? reasonOf(cause) : (cause as Error).message;
}

const LONGEST_WANTED_MS = 30_000;

/** Milliseconds that the remote wants to be left alone, within bounds. */
function wantedMs(error: unknown): number {
  const wanted = error instanceof Unavailable ? (error.retryAfterMs ?? 0) : 0;
  return Math.min(wanted, LONGEST_WANTED_MS);
}
