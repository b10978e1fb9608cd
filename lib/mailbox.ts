import { onAbort } from "./lifetime.ts";
import { deferred } from "./promises.ts";

/** Things for one reader, who may come later. Without a bound: whoever puts something looks at the size. */
export interface Mailbox<Item> {
  /** Of what waits. */
  readonly size: number;
  put(item: Item): void;
  /** What waits is not read any more. */
  close(): void;
  /** Until it is closed, or the signal fires. */
  items(signal: AbortSignal): AsyncGenerator<Item, void, void>;
}

export function createMailbox<Item>(): Mailbox<Item> {
  const waiting: Item[] = [];
  const state = { isOpen: true, news: deferred() };
  return {
    get size() {
      return waiting.length;
    },
    put(item) {
      waiting.push(item);
      state.news.resolve();
    },
    close() {
      state.isOpen = false;
      waiting.length = 0;
      state.news.resolve();
    },
    async *items(signal) {
      const off = onAbort(signal, () => state.news.resolve());
      try {
        while (state.isOpen && !signal.aborted) {
          const item = waiting.shift();
          if (item !== undefined) yield item;
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
