/** Bytes that wait for a client to take them. */
export interface Pieces {
  /** Bytes that are left. */
  left(): number;
  /** The next piece, of up to {@link PIECE_BYTES}; empty when nothing is left. */
  next(): Uint8Array;
}

/** Large enough to cost little, small enough to show who reads and who does not. */
export const PIECE_BYTES = 64 * 1024;

/**
 * A large answer as it is sent: pulled, it waits once, outside of the heap of V8, and not in the socket's queue too; and
 * how much of it is left tells whether its client reads.
 */
export function inPieces(bytes: Uint8Array): Pieces {
  let rest = bytes;
  return {
    left: () => rest.length,
    next() {
      const piece = rest.subarray(0, PIECE_BYTES);
      rest = rest.subarray(piece.length);
      return piece;
    },
  };
}
