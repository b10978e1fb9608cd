import type { Message } from "../../jsonrpc.ts";

/** Messages of the client that wait for a session, in their order. */
export interface Waiting {
  /** @returns false if there is no room for it */
  add(message: Message): boolean;
  /** The oldest one. */
  next(): Message | undefined;
  /** @returns whether it was there */
  remove(message: Message): boolean;
  all(): Message[];
  /** All of them, which wait no more. */
  takeAll(): Message[];
}

/** Messages, and characters of them all. */
export const MAX_WAITING = 1000;
const MAX_CHARACTERS = 64 * 1024 ** 2;

/**
 * @param waitMs milliseconds that a message waits
 * @param expired called with each message that has waited for so long
 */
export function createWaiting(waitMs: number, expired: (message: Message) => void): Waiting {
  const timers = new Map<Message, NodeJS.Timeout>();
  let characters = 0;
  const remove = (message: Message): boolean => {
    clearTimeout(timers.get(message));
    const wasThere = timers.delete(message);
    if (wasThere) characters -= message.text.length;
    return wasThere;
  };
  return {
    add(message) {
      if (timers.size >= MAX_WAITING || characters + message.text.length > MAX_CHARACTERS) return false;
      characters += message.text.length;
      const expire = (): void => {
        if (remove(message)) expired(message);
      };
      timers.set(message, setTimeout(expire, waitMs));
      return true;
    },
    next() {
      const [oldest] = timers.keys();
      if (oldest) remove(oldest);
      return oldest;
    },
    remove,
    all: () => [...timers.keys()],
    takeAll() {
      const all = [...timers.keys()];
      all.forEach(remove);
      return all;
    },
  };
}
