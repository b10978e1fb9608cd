/** Several sources that tell the same, while one takes the place of another: what each of them tells, told once. */
export interface ToldOnce {
  /** Another source, which tells what comes from now on. */
  join(): Source;
}

export interface Source {
  /** Whether this is news, and not what another source has told before. */
  isNews(what: string): boolean;
  leave(): void;
}

/**
 * Counts what is told, by its text, as long as there is more than one source: the third time that a source tells of a
 * change of the same list is news if no other has told of it three times.
 */
export function createToldOnce(): ToldOnce {
  const told = new Map<string, number>();
  const sources = new Map<Source, Map<string, number>>();
  const catchUp = (): void => {
    if (sources.size <= 1) told.clear();
    for (const heard of sources.values()) {
      heard.clear();
      for (const [what, times] of told) heard.set(what, times);
    }
  };
  return {
    join() {
      const heard = new Map(told);
      const source: Source = {
        isNews(what) {
          if (sources.size === 1) return sources.has(source);
          const times = (heard.get(what) ?? 0) + 1;
          heard.set(what, times);
          if (!sources.has(source) || times <= (told.get(what) ?? 0)) return false;
          told.set(what, times);
          return true;
        },
        leave() {
          if (sources.delete(source)) catchUp();
        },
      };
      sources.set(source, heard);
      return source;
    },
  };
}
