import { onAbort } from "../../lifetime.ts";
import { deferred } from "../../promises.ts";

/** Lines for one reader, who may come later. */
export interface Outlet {
  /** Of the lines that wait. */
  readonly size: number;
  put(line: string): void;
  /** What waits is not read any more. */
  close(): void;
  /** Until it is closed, or the signal fires. */
  lines(signal: AbortSignal): AsyncGenerator<string, void, void>;
}

export function createOutlet(): Outlet {
  const waiting: string[] = [];
  const state = { isOpen: true, news: deferred() };
  return {
    get size() {
      return waiting.length;
    },
    put(line) {
      waiting.push(line);
      state.news.resolve();
    },
    close() {
      state.isOpen = false;
      waiting.length = 0;
      state.news.resolve();
    },
    async *lines(signal) {
      const off = onAbort(signal, () => state.news.resolve());
      try {
        while (state.isOpen && !signal.aborted) {
          const line = waiting.shift();
          if (line !== undefined) yield line;
          else {
            state.news = deferred();
            await state.news.promise;
          }
        }
      } finally {
        off();
      }
    },
  };
}
