import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

/**
 * The running requests of clients that have a session id, so that a cancelled notification, which comes as a POST of
 * its own, finds the request it means. Source: 2025-11-25/basic/utilities/cancellation.
 */
export interface Cancellations {
  /** @returns how to forget the request */
  register(session: string, id: RequestId, cancel: () => void): () => void;
  /** Does nothing if no such request runs here: it may have been answered just now. */
  cancel(session: string, id: RequestId): void;
}

export function createCancellations(): Cancellations {
  const running = new Map<string, () => void>();
  const keyOf = (session: string, id: RequestId): string => JSON.stringify([session, id]);
  return {
    register(session, id, cancel) {
      const key = keyOf(session, id);
      running.set(key, cancel);
      return () => {
        if (running.get(key) === cancel) running.delete(key);
      };
    },
    cancel: (session, id) => running.get(keyOf(session, id))?.(),
  };
}
