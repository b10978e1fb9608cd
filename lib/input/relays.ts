import { randomUUID } from "node:crypto";

import type { Message, ResponseValue } from "../jsonrpc.ts";

type Deliver = (response: Message<ResponseValue>) => void;

/**
 * Questions of servers that are on their way to a legacy client, each under an id that nobody can guess: the client
 * answers with a POST of its own, which must find the process that waits.
 * Source: 2025-11-25/basic/transports, Sending Messages to the Server.
 */
export interface Relays {
  /**
   * @param principal who is asked, and may answer
   * @returns the id to ask under, and how to forget the question
   */
  register(principal: string, deliver: Deliver): { readonly id: string; readonly forget: () => void };
  /** @returns whether somebody waited for it */
  deliver(principal: string, response: Message<ResponseValue>): boolean;
}

export function createRelays(): Relays {
  const waiting = new Map<unknown, { readonly principal: string; readonly deliver: Deliver }>();
  return {
    register(principal, deliver) {
      const id = randomUUID();
      waiting.set(id, { principal, deliver });
      return { id, forget: () => void waiting.delete(id) };
    },
    deliver(principal, response) {
      const question = waiting.get(response.value.id);
      if (question?.principal !== principal) return false;
      waiting.delete(response.value.id);
      question.deliver(response);
      return true;
    },
  };
}
