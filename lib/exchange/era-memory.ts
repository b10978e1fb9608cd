/** What the operator says about the eras of a server. Source: 2026-07-28/basic/versioning, Terminology. */
export const ERA_SETTINGS = ["auto", "legacy", "modern", "dual"] as const;

export type EraSetting = (typeof ERA_SETTINGS)[number];

/** Two independent facts about a server; undefined as long as nobody knows. */
export interface KnownEras {
  readonly modern?: boolean | undefined;
  readonly legacy?: boolean | undefined;
}

/** What is known about the eras of one server: by its configuration, or from the processes that ran so far. */
export interface EraMemory {
  known(): KnownEras;
  /** To be told only what a process has shown for certain: a crash or a slow start shows nothing. */
  learn(facts: KnownEras): void;
  /** Counts a process that ended at a probe. @returns how many have */
  noteEnding(): number;
  /** Of a server that is not any more what was learned: the next request finds out anew. */
  forget(): void;
}

const CONFIGURED: Readonly<Record<EraSetting, KnownEras>> = {
  auto: {},
  legacy: { modern: false, legacy: true },
  modern: { modern: true, legacy: false },
  dual: { modern: true, legacy: true },
};

/** What is configured stays as it is. */
export function createEraMemory(setting: EraSetting = "auto"): EraMemory {
  let facts = CONFIGURED[setting];
  let endings = 0;
  return {
    known: () => facts,
    learn: (more) => {
      if (setting === "auto") facts = { ...facts, ...more };
    },
    noteEnding: () => (endings += 1),
    forget: () => {
      facts = CONFIGURED[setting];
      endings = 0;
    },
  };
}
