import type { Environment } from "./environment.ts";

/** Environments as the platform has them: one more for each invocation that meets none at rest. */
export interface Pool {
  /** Runs with an environment of its own, which is at rest again when the runtime asks for more. */
  use<Result>(work: (environment: Environment) => Promise<Result>): Promise<Result>;
  /** Resolves when all are at rest. */
  idle(): Promise<void>;
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
      void resting.finally(() => busy.delete(resting));
      return working;
    },
    idle: async () => void (await Promise.all(busy)),
    stop: async () => {
      for (const environment of await Promise.all(all)) await environment.stop();
    },
  };
}
