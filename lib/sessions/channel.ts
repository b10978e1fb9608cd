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
      const value = waiting.shift();
      if (value !== undefined) yield value;
      else if (isOver) return;
      else await changed.promise;
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
