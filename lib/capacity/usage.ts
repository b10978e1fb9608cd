/** What a place is wanted for. */
export interface Claim {
  /** Whose request it is: places are shared out between callers. */
  readonly principal: string;
  /** `maxProcesses` is undefined where the server may have as many as the host. */
  readonly server: { readonly name: string; readonly maxProcesses?: number | undefined };
  /** For a request whose process before is being ended. What that has cost must not be lost. @default false */
  readonly isSuccessor?: boolean;
}

/** Who has how many of the places. */
export interface Usage {
  take(claim: Claim): void;
  giveBack(claim: Claim): void;
  /** Whether there is a place for it: of the host, of its server, and in its caller's share of both. */
  hasRoom(claim: Claim): boolean;
  hostHasRoom(): boolean;
  serverHasRoom(claim: Claim): boolean;
  /** Whether its caller may have one more, of those of the host and of the server. */
  callerHasRoom(claim: Claim): boolean;
  of(principal: string): number;
}

/**
 * Of the places that its next process would leave free, a caller may have three times as many: of 16 places 12 if it is
 * alone, and 6 or 7 if there is another like it. The last place is for one who has none: neither the number of requests
 * of the others nor the time that they take keeps that one out.
 * Source: Choudhury and Hahne, Dynamic Queue Length Thresholds, 1998
 */
export const SHARE_OF_FREE = 3;

/** @param isShared whether there are several callers; one alone may have all */
export function createUsage(maxProcesses: number, isShared = false): Usage {
  const [servers, principals, shares] = [createTally(), createTally(), createTally()];
  let taken = 0;
  const limitOf = ({ server }: Claim): number => server.maxProcesses ?? maxProcesses;
  const hostHasRoom = (): boolean => taken < maxProcesses;
  const serverHasRoom = (claim: Claim): boolean => servers.of(claim.server.name) < limitOf(claim);
  const callerHasRoom = (claim: Claim): boolean => {
    if (!isShared || claim.isSuccessor) return true;
    const left = limitOf(claim) - servers.of(claim.server.name) - 1;
    const isInShare = mayHave(principals.of(claim.principal), maxProcesses - taken - 1);
    return isInShare && mayHave(shares.of(shareOf(claim)), left);
  };
  const count = (claim: Claim, step: 1 | -1): void => {
    taken += step;
    servers.add(claim.server.name, step);
    principals.add(claim.principal, step);
    shares.add(shareOf(claim), step);
  };
  return {
    take: (claim) => count(claim, 1),
    giveBack: (claim) => count(claim, -1),
    hasRoom: (claim) => hostHasRoom() && serverHasRoom(claim) && callerHasRoom(claim),
    hostHasRoom,
    serverHasRoom,
    callerHasRoom,
    of: (principal) => principals.of(principal),
  };
}

function mayHave(own: number, free: number): boolean {
  return own === 0 || own < SHARE_OF_FREE * free;
}

function shareOf({ principal, server }: Claim): string {
  return JSON.stringify([principal, server.name]);
}

/** Numbers by name. */
export interface Tally {
  add(name: string, number: number): void;
  of(name: string): number;
}

/** Keeps no name whose number is 0: callers come and go. */
export function createTally(): Tally {
  const numbers = new Map<string, number>();
  const of = (name: string): number => numbers.get(name) ?? 0;
  return {
    add(name, number) {
      const sum = of(name) + number;
      if (sum === 0) numbers.delete(name);
      else numbers.set(name, sum);
    },
    of,
  };
}
