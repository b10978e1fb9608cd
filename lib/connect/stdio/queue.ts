import { deferred } from "../../promises.ts";

/** Takes things in, and handles them one after the other in their order. */
export interface Queue<Item> {
  /** @returns a promise for when there is room for the next one, or undefined if there is */
  push(item: Item): Promise<void> | undefined;
  /** Those that are not done yet, the one that is handled among them. */
  readonly items: readonly Item[];
  /** Drops what waits. */
  close(): void;
}

export interface QueueOptions<Item> {
  readonly sizeOf: (item: Item) => number;
  /** Must not reject. */
  readonly handle: (item: Item) => Promise<void>;
}

/** Things that may wait, and their size together: whoever comes with more waits as well. */
const [MAX_ITEMS, MAX_SIZE] = [1000, 16 * 1024 ** 2];

export function createQueue<Item>({ sizeOf, handle }: QueueOptions<Item>): Queue<Item> {
  const items: Item[] = [];
  let size = 0;
  let isWorking = false;
  let room: ReturnType<typeof deferred<void>> | undefined;
  const isFull = (): boolean => items.length >= MAX_ITEMS || size >= MAX_SIZE;
  const makeRoom = (): void => {
    room?.resolve();
    room = undefined;
  };
  const work = async (): Promise<void> => {
    isWorking = true;
    for (let [item] = items; item !== undefined; [item] = items) {
      await handle(item);
      if (items[0] === item) {
        items.shift();
        size -= sizeOf(item);
      }
      if (!isFull()) makeRoom();
    }
    isWorking = false;
  };
  return {
    items,
    push(item) {
      items.push(item);
      size += sizeOf(item);
      // It never rejects, and `push` tells when it has got on.
      if (!isWorking) void work();
      return isFull() ? (room ??= deferred()).promise : undefined;
    },
    close() {
      items.length = 0;
      size = 0;
      makeRoom();
    },
  };
}
