import type { Environment } from "./environment.ts";

/** Environments as the platform has them: one more for each invocation that meets none at rest. */
export interface Pool {
  /** Runs with an environment of its own, which is at rest again when the runtime asks for more. */
  use<Result>(work: (environment: Environment) => Promise<Result>): Promise<Result>;
  /** Resolves when all are at rest. */
  idle(): Promise<void>;
  /** Ends all as soon as they are at rest. */
  stop(): Promise<void>;
}

export function createPool(start: () => Promise<Environment>): Pool {
  const all: Promise<Environment>[] = [];
  const free: Environment[] = [];
  const busy = new Set<Promise<unknown>>();
  const release = async (environment: Environment): Promise<void> => {
    await environment.idle();
    free.push(environment);
  };
  const more = (): Promise<Environment> => {
    const starting = start();
    all.push(starting);
    return starting;
  };
  const idle = async (): Promise<void> => void (await Promise.all(busy));
  return {
    async use(work) {
      const environment = free.pop() ?? (await more());
      const working = work(environment);
      // The next invocation is a later question than this one's: whoever waits for rest must find it here.
      const resting = working.then(
        () => release(environment),
        () => release(environment),
      );
      busy.add(resting);
      // One that failed stays, for whoever waits for rest next.
      resting.then(() => busy.delete(resting), nothing);
      return working;
    },
    idle,
    stop: async () => {
      try {
        await idle();
      } finally {
        for (const environment of await Promise.all(all)) await environment.stop();
      }
    },
  };
}

function nothing(): void {}
