import { cancelledText } from "../../exchange/endings.ts";
import { ownId } from "../../exchange/conversation.ts";
import type { Relays } from "../../input/relays.ts";
import type { Message, ResponseValue } from "../../jsonrpc.ts";
import type { StdioClient } from "../relay.ts";

/** Questions of a remote to a client of the older revisions, each under an id of ours. */
export interface ClientQuestions extends Relays {
  /** The client's answer. @returns whether somebody waited for it */
  answer(response: Message<ResponseValue>): boolean;
}

/** A question that nobody waits for any more is withdrawn from the client. */
export function createClientQuestions(client: StdioClient): ClientQuestions {
  const waiting = new Map<unknown, (response: Message<ResponseValue>) => void>();
  const answer = (response: Message<ResponseValue>): boolean => {
    const deliver = waiting.get(response.value.id);
    waiting.delete(response.value.id);
    deliver?.(response);
    return deliver !== undefined;
  };
  return {
    register(_principal, deliver) {
      const id = ownId();
      waiting.set(id, deliver);
      const forget = (): void => {
        // Not awaited: whoever forgets has nothing more to say, and what is written stays in order.
        if (waiting.delete(id)) void client.write(cancelledText(JSON.stringify(id), NOT_NEEDED));
      };
      return { id, forget };
    },
    deliver: (_principal, response) => answer(response),
    answer,
  };
}

const NOT_NEEDED = "The answer is not needed any more";
