import { deferred } from "../promises.ts";

/** Values on their way from those who push them to the one who pulls them. */
export interface Channel<Value> {
  readonly push: (value: Value) => void;
  /** There will be no more values. */
  readonly end: () => void;
  /** To be read once. */
  readonly values: AsyncGenerator<Value, void, void>;
}

export function createChannel<Value>(): Channel<Value> {
  const waiting: Value[] = [];
  let isOver = false;
  let changed = deferred();
  const wake = (): void => {
    changed.resolve();
    changed = deferred();
  };
  async function* values(): AsyncGenerator<Value, void, void> {
    for (;;) {
      // All at once: to take the first of very many moves all the others.
      const come = waiting.splice(0);
      for (const value of come) yield value;
      // Nothing is waited for before this: whatever comes later resolves this promise.
      if (come.length > 0) continue;
      if (isOver) return;
      await changed.promise;
    }
  }
  return {
    push(value) {
      waiting.push(value);
      wake();
    },
    end() {
      isOver = true;
      wake();
    },
    values: values(),
  };
}
