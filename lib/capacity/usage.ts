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
  /** Whether there is a place for it: of the host, and of its server. */
  hasRoom(claim: Claim): boolean;
  hostHasRoom(): boolean;
  serverHasRoom(claim: Claim): boolean;
  of(principal: string): number;
}

export function createUsage(maxProcesses: number): Usage {
  const [servers, principals] = [createTally(), createTally()];
  let taken = 0;
  const hostHasRoom = (): boolean => taken < maxProcesses;
  const serverHasRoom = ({ server }: Claim): boolean =>
    servers.of(server.name) < (server.maxProcesses ?? maxProcesses);
  const count = ({ principal, server }: Claim, step: 1 | -1): void => {
    taken += step;
    servers.add(server.name, step);
    principals.add(principal, step);
  };
  return {
    take: (claim) => count(claim, 1),
    giveBack: (claim) => count(claim, -1),
    hasRoom: (claim) => hostHasRoom() && serverHasRoom(claim),
    hostHasRoom,
    serverHasRoom,
    of: (principal) => principals.of(principal),
  };
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
