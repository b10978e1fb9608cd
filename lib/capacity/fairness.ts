import { createTally } from "./usage.ts";
import type { Claim, Usage } from "./usage.ts";

/** A request that waits for a place. */
export interface Waiting {
  readonly claim: Claim;
}

/**
 * Who gets a place that has been given back: of those whose server has room, a successor, or else whoever's caller has
 * the fewest places. Of equals, whoever has just had it comes last, as a queue of one caller must not keep a single
 * place to itself; else first come, first served.
 * @param queue in the order of coming
 * @param before whose place it was
 */
export function nextToEnter<One extends Waiting>(
  queue: Iterable<One>,
  usage: Usage,
  before: string,
): One | undefined {
  if (!usage.hostHasRoom()) return undefined;
  const able = [...queue].filter(({ claim }) => usage.hasRoom(claim));
  const successor = able.find(({ claim }) => claim.isSuccessor);
  const places = ({ principal }: Claim): number => usage.of(principal) + (principal === before ? 0.5 : 0);
  return successor ?? greatest(able, ({ claim }) => -places(claim));
}

/**
 * Who leaves a full queue for a newcomer: the last of the caller who has most, in places and in the queue, if the
 * newcomer's has less even then; or the last of the newcomer's own caller that waits for a server without room, if the
 * newcomer's server has some. Undefined where the newcomer has to go.
 */
export function whoGivesWay<One extends Waiting>(
  newcomer: Claim,
  queue: Iterable<One>,
  usage: Usage,
): One | undefined {
  // The newest first, so that it is found first among equals.
  const waiting = [...queue].filter(({ claim }) => !claim.isSuccessor).toReversed();
  const queued = createTally();
  for (const { claim } of waiting) queued.add(claim.principal, 1);
  const shareOf = ({ principal }: Claim): number => usage.of(principal) + queued.of(principal);
  const last = greatest(waiting, ({ claim }) => shareOf(claim));
  // Not for equal shares: two callers would push each other out for ever.
  if (last && shareOf(last.claim) - 1 > shareOf(newcomer)) return last;
  if (!usage.serverHasRoom(newcomer)) return undefined;
  return waiting.find(({ claim }) => claim.principal === newcomer.principal && !usage.serverHasRoom(claim));
}

/** The first of those with the greatest value. */
function greatest<One>(all: readonly One[], valueOf: (one: One) => number): One | undefined {
  let [found, most]: [One | undefined, number] = [undefined, Number.NEGATIVE_INFINITY];
  for (const one of all) {
    const value = valueOf(one);
    if (value > most) [found, most] = [one, value];
  }
  return found;
}
