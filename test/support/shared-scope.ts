import type { Scope } from "./files.ts";

/** A scope that several tests share. */
export interface SharedScope extends Scope {
  /** Runs what was put off, the last first, as whoever comes later uses what was there before. */
  readonly end: () => Promise<void>;
}

export function sharedScope(): SharedScope {
  const steps: (() => unknown)[] = [];
  return {
    after: (step) => void (typeof step === "function" && steps.unshift(step as () => unknown)),
    async end() {
      for (const step of steps.splice(0)) await step();
    },
  };
}
