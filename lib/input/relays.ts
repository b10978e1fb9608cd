import { randomUUID } from "node:crypto";

import type { Message, ResponseValue } from "../jsonrpc.ts";

/**
 * Questions of servers that are on their way to a legacy client, each under an id that nobody can guess: the client
 * answers with a POST of its own, which must find the process that waits.
 * Source: 2025-11-25/basic/transports, Sending Messages to the Server.
 */
export interface Relays {
  /** @returns the id to ask under, and how to forget the question */
  register(deliver: (response: Message<ResponseValue>) => void): {
    readonly id: string;
    readonly forget: () => void;
  };
  /** @returns whether somebody waited for it */
  deliver(response: Message<ResponseValue>): boolean;
}

export function createRelays(): Relays {
  const waiting = new Map<unknown, (response: Message<ResponseValue>) => void>();
  return {
    register(deliver) {
      const id = randomUUID();
      waiting.set(id, deliver);
      return { id, forget: () => void waiting.delete(id) };
    },
    deliver(response) {
      const deliver = waiting.get(response.value.id);
      waiting.delete(response.value.id);
      deliver?.(response);
      return deliver !== undefined;
    },
  };
}
