import { totalmem } from "node:os";

/**
 * Bytes of memory that all of this may take: those of the machine, or of the container, if that may have less.
 * Source: Node's process.constrainedMemory, which is 0, undefined or beyond all memory where there is no limit.
 */
export function memoryBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}

const MIN_SHARE_BYTES = 256 * 1024 ** 2;

/** Bytes that one kind of what waits may take: a quarter of the memory, and at least some of the largest messages. */
export function memoryShareBytes(): number {
  return Math.max(MIN_SHARE_BYTES, Math.floor(memoryBytes() / 4));
}
