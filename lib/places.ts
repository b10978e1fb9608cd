import { MayflyError } from "./errors.ts";
import { once } from "./promises.ts";

/** Places for what lingers: sessions, subscriptions, and processes that wait for a client. Nobody queues for them. */
export interface Places {
  /**
   * Where all are taken, what was offered gives way: the oldest offer of the same caller, or else of all.
   * @param principal whom the place is for
   * @returns how to give the place back; repeated calls count once
   * @throws NO_PLACE_TO_WAIT
   */
  take(principal?: string): () => void;
  /** Says that nobody uses what has a place at the moment. Returns how to take that back. */
  offer(offer: Offer): () => void;
}

/** What can give way to something that is needed more. */
export interface Offer {
  /** @default nobody's: it gives way to each caller alike */
  readonly principal?: string | undefined;
  /** When it is old enough to give way, on the clock of `performance.now()`. */
  readonly notBefore: number;
  /** Gives the place back, and does not come for it again. */
  readonly giveWay: () => void;
}

/** @param maxProcesses that may be alive at once; half of them may linger, so that there is room for other requests */
export function createPlaces(maxProcesses: number): Places {
  const limit = Math.max(1, Math.floor(maxProcesses / 2));
  const offers = new Set<Offer>();
  let taken = 0;
  const makeRoom = (principal: string | undefined): void => {
    const now = performance.now();
    const ripe = [...offers].filter(({ notBefore }) => notBefore <= now);
    const own = ripe.filter((offer) => offer.principal !== undefined && offer.principal === principal);
    for (const offer of new Set([...own, ...ripe])) {
      if (taken < limit) return;
      offers.delete(offer);
      offer.giveWay();
    }
  };
  return {
    take(principal) {
      makeRoom(principal);
      if (taken >= limit) throw new MayflyError("NO_PLACE_TO_WAIT", { values: { limit } });
      taken += 1;
      return once(() => (taken -= 1));
    },
    offer(offer) {
      offers.add(offer);
      return () => offers.delete(offer);
    },
  };
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
