import { MayflyError } from "./errors.ts";
import { once } from "./promises.ts";

/** Places for what lingers: sessions, subscriptions, and processes that wait for a client. Nobody queues for them. */
export interface Places {
  /**
   * Where all are taken, a holder that nobody uses gives way.
   * @returns how to give the place back; repeated calls count once
   * @throws NO_PLACE_TO_WAIT, NO_SHARE_LEFT
   */
  take(holder?: Holder): () => void;
}

/** What has a place. */
export interface Holder {
  /** Whose it is. @default nobody's */
  readonly principal?: string | undefined;
  /** From when on it may give way, on the clock of `performance.now()`; undefined while it is in use. @default never */
  readonly mayGiveWayFrom?: () => number | undefined;
  /** Gives the place back at once, and does not come for it again. */
  readonly giveWay?: () => void;
}

/** Those that may give way now: those of the caller who needs a place come first, and what is unused for longest. */
export function givingWay<One extends Holder>(all: Iterable<One>, principal: string | undefined): One[] {
  const now = performance.now();
  const since = (one: One): number => one.mayGiveWayFrom?.() ?? Number.POSITIVE_INFINITY;
  const ripe = [...all].filter((one) => since(one) <= now).toSorted((a, b) => since(a) - since(b));
  return ownFirst(ripe, principal);
}

/** Those of the caller who needs something, and then those of others; nobody's are nobody's own. */
export function ownFirst<One extends Pick<Holder, "principal">>(
  all: readonly One[],
  principal: string | undefined,
): One[] {
  const isOwn = (one: One): boolean => principal !== undefined && one.principal === principal;
  return [...all.filter(isOwn), ...all.filter((one) => !isOwn(one))];
}

/**
 * @param maxProcesses that may be alive at once; half of them may linger, so that there is room for other requests
 * @param isShared whether there are several callers: none of them gets more than half of the places then
 */
export function createPlaces(maxProcesses: number, isShared = false): Places {
  const limit = Math.max(1, Math.floor(maxProcesses / 2));
  const share = isShared ? Math.ceil(limit / 2) : limit;
  const holders = new Set<Holder>();
  const ownOf = ({ principal }: Holder): Holder[] =>
    [...holders].filter((holder) => principal !== undefined && holder.principal === principal);
  const isFull = (): boolean => holders.size >= limit;
  const hasShare = (asked: Holder): boolean => ownOf(asked).length >= share;
  return {
    take(asked = {}) {
      if (hasShare(asked)) makeRoom(ownOf(asked), asked, () => !hasShare(asked));
      if (isFull()) makeRoom(holders, asked, () => !isFull());
      if (isFull()) throw new MayflyError("NO_PLACE_TO_WAIT", { values: { limit } });
      if (hasShare(asked)) throw new MayflyError("NO_SHARE_LEFT", { values: { limit: share } });
      const holder = { ...asked };
      holders.add(holder);
      return () => void holders.delete(holder);
    },
  };
}

function makeRoom(holders: Iterable<Holder>, { principal }: Holder, isEnough: () => boolean): void {
  for (const holder of givingWay(holders, principal)) {
    if (isEnough()) return;
    holder.giveWay?.();
  }
}

/** One place for several that come and go: while one process of a session follows another, both are there. */
export function takenOnce(take: () => () => void): () => () => void {
  let holders = 0;
  let release = (): void => undefined;
  return () => {
    if (holders === 0) release = take();
    holders += 1;
    return once(() => {
      holders -= 1;
      if (holders === 0) release();
    });
  };
}
