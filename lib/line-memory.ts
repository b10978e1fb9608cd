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
   * @returns undefined if there is room, else a promise for it, which also resolves when the signal fires or the share
   * is closed
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

/** What a process has of the memory. */
interface Share {
  bytes: number;
  isClosed: boolean;
}

/**
 * The line that has begun first always finds room until its end, so that lines never wait for one another in a circle:
 * others get what it can do without.
 * @param limit bytes of all lines
 * @param maxLineBytes of one line, at most the limit
 */
export function createLineMemory(limit: number, maxLineBytes: number, waitMs = MAX_WAIT_MS): LineMemory {
  const room = createRoom(limit, maxLineBytes);
  return { open: () => openShare({ room, limit, maxLineBytes, waitMs }) };
}

interface Room {
  has(share: Share, bytes: number): boolean;
  take(share: Share, bytes: number): void;
  release(share: Share): void;
  /** What looks again whether there is room, for every line that waits. */
  readonly waiting: Set<() => void>;
}

function createRoom(limit: number, maxLineBytes: number): Room {
  const shares = new Set<Share>();
  const waiting = new Set<() => void>();
  let used = 0;
  return {
    waiting,
    has(share, bytes) {
      const [first = share] = shares;
      const kept = first === share ? 0 : maxLineBytes - first.bytes;
      return used - share.bytes + bytes + kept <= limit;
    },
    take(share, bytes) {
      used += bytes - share.bytes;
      share.bytes = bytes;
      shares.add(share);
    },
    release(share) {
      if (!shares.delete(share)) return;
      used -= share.bytes;
      share.bytes = 0;
      for (const lookAgain of waiting) lookAgain();
    },
  };
}

interface Memory {
  readonly room: Room;
  readonly limit: number;
  readonly maxLineBytes: number;
  readonly waitMs: number;
}

function openShare(memory: Memory): LineShare {
  const { room, maxLineBytes } = memory;
  const share: Share = { bytes: 0, isClosed: false };
  return {
    maxBytes: maxLineBytes,
    need(bytes, signal) {
      if (share.isClosed || signal.aborted || bytes <= Math.max(share.bytes, FREE_LINE_BYTES))
        return undefined;
      // Who comes now must not overtake those who wait.
      const mustQueue = share.bytes === 0 && room.waiting.size > 0;
      if (mustQueue || !room.has(share, bytes)) return waitForRoom(share, bytes, signal, memory);
      room.take(share, bytes);
      return undefined;
    },
    release: () => room.release(share),
    close() {
      share.isClosed = true;
      room.release(share);
      // Its own line may be one of those that wait.
      for (const lookAgain of room.waiting) lookAgain();
    },
  };
}

function waitForRoom(
  share: Share,
  bytes: number,
  signal: AbortSignal,
  { room, limit, waitMs }: Memory,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (result: () => void): void => {
      room.waiting.delete(lookAgain);
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      result();
    };
    const leave = (): void => settle(resolve);
    const lookAgain = (): void => {
      if (share.isClosed) return leave();
      if (!room.has(share, bytes)) return;
      room.take(share, bytes);
      settle(resolve);
    };
    const timer = setTimeout(() => settle(() => reject(tooLarge(limit))), waitMs);
    room.waiting.add(lookAgain);
    signal.addEventListener("abort", leave);
  });
}

function tooLarge(limit: number): MayflyError {
  return new MayflyError("MESSAGES_TOO_LARGE", { values: { limit } });
}
