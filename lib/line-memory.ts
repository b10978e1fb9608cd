import { getHeapStatistics } from "node:v8";

import { MayflyError } from "./errors.ts";

/** Memory for long lines from servers, which all processes of a host share: without a limit on it, the host would die. */
export interface LineMemory {
  /** For the lines of one process, one after the other. */
  open(): LineShare;
}

export interface LineShare {
  /** That one line may need. */
  readonly maxBytes: number;
  /**
   * Asks for room for a line that has so far that many bytes.
   * @returns undefined if there is room, else a promise for it, which also resolves when the signal fires
   * @throws MESSAGES_TOO_LARGE, by the promise, if others have not made room in time
   */
  need(bytes: number, signal: AbortSignal): Promise<void> | undefined;
  /** Gives the room back: the line has been passed on. */
  release(): void;
  /** Gives the room back for good, as nobody reads on. */
  close(): void;
}

/** Bytes of lines that are not counted: most messages are shorter, and as many as there are processes fit anywhere. */
export const FREE_LINE_BYTES = 256 * 1024;
/** Milliseconds that a line may wait. */
const MAX_WAIT_MS = 10_000;
/** A message stands in the heap up to three times, while it is translated; the rest is for all else, and to collect garbage in time. */
const HEAP_PARTS = 7;

/** A seventh of what the heap may grow to. */
export function defaultMaxBufferedBytes(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / HEAP_PARTS);
}

interface Share {
  bytes: number;
}

/**
 * The line that has begun first always finds room until its end, so that lines never wait for one another in a circle:
 * others get what it can do without.
 * @param limit bytes of all lines
 * @param maxLineBytes of one line, at most the limit
 */
export function createLineMemory(limit: number, maxLineBytes: number, waitMs = MAX_WAIT_MS): LineMemory {
  const shares = new Set<Share>();
  const waiting = new Set<() => void>();
  let used = 0;
  const hasRoom = (share: Share, bytes: number): boolean => {
    const [first = share] = shares;
    const kept = first === share ? 0 : maxLineBytes - first.bytes;
    return used - share.bytes + bytes + kept <= limit;
  };
  const take = (share: Share, bytes: number): void => {
    used += bytes - share.bytes;
    share.bytes = bytes;
    shares.add(share);
  };
  const release = (share: Share): void => {
    if (!shares.delete(share)) return;
    used -= share.bytes;
    share.bytes = 0;
    for (const wake of waiting) wake();
  };
  const wait = (share: Share, bytes: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const settle = (result: () => void): void => {
        waiting.delete(wake);
        clearTimeout(timer);
        signal.removeEventListener("abort", leave);
        result();
      };
      const wake = (): void => {
        if (!hasRoom(share, bytes)) return;
        take(share, bytes);
        settle(resolve);
      };
      const leave = (): void => settle(resolve);
      const timer = setTimeout(() => settle(() => reject(tooLarge(limit))), waitMs);
      waiting.add(wake);
      signal.addEventListener("abort", leave);
    });
  return {
    open: () => shareOf({ hasRoom, take, release, wait, isAwaited: () => waiting.size > 0, maxLineBytes }),
  };
}

interface Books {
  readonly maxLineBytes: number;
  hasRoom(share: Share, bytes: number): boolean;
  take(share: Share, bytes: number): void;
  release(share: Share): void;
  wait(share: Share, bytes: number, signal: AbortSignal): Promise<void>;
  isAwaited(): boolean;
}

function shareOf(books: Books): LineShare {
  const share: Share = { bytes: 0 };
  let isClosed = false;
  return {
    maxBytes: books.maxLineBytes,
    need(bytes, signal) {
      if (isClosed || signal.aborted || bytes <= Math.max(share.bytes, FREE_LINE_BYTES)) return undefined;
      // Who comes now must not overtake those who wait.
      const isNew = share.bytes === 0;
      if ((isNew && books.isAwaited()) || !books.hasRoom(share, bytes))
        return books.wait(share, bytes, signal);
      books.take(share, bytes);
      return undefined;
    },
    release: () => books.release(share),
    close() {
      isClosed = true;
      books.release(share);
    },
  };
}

function tooLarge(limit: number): MayflyError {
  return new MayflyError("MESSAGES_TOO_LARGE", { values: { limit } });
}
