import { ownId } from "../../exchange/conversation.ts";
import { requestText } from "../../eras/request-down.ts";
import { idOf } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { setMember } from "../../rawjson.ts";
import { isPart } from "../../sessions/subscriptions.ts";
import type { SessionProcess } from "./session-process.ts";

/** Subscriptions of several requests to the resources of a session: the remote hears of the first one and of the last. */
export interface SharedSubscriptions {
  /** Subscribes for a process, which gets the answer. */
  join(request: Message<RequestValue>, process: SessionProcess): Promise<void>;
  leave(process: SessionProcess): void;
  /** @returns whether the message is the answer to a request of these */
  answer(message: Message<ResponseValue>): boolean;
  /** Whether a process has subscribed to a resource, or what it is a part of. */
  isSubscribed(process: SessionProcess, uri: unknown): boolean;
}

interface Subscription {
  readonly processes: Set<SessionProcess>;
  readonly answer: Promise<Message<ResponseValue>>;
}

export function createSharedSubscriptions(send: (text: string) => Promise<void>): SharedSubscriptions {
  const subscriptions = new Map<string, Subscription>();
  const asked = new Map<unknown, (answer: Message<ResponseValue>) => void>();
  const ask = (method: string, uri: string): Promise<Message<ResponseValue>> => {
    const id = ownId();
    const answer = new Promise<Message<ResponseValue>>((resolve) => asked.set(id, resolve));
    // Its answer is what counts, and that it was taken follows from it.
    void send(requestText(id, method, JSON.stringify({ uri })));
    return answer;
  };
  const subscriptionTo = (uri: string): Subscription => {
    const subscription = subscriptions.get(uri) ?? {
      processes: new Set(),
      answer: ask("resources/subscribe", uri),
    };
    subscriptions.set(uri, subscription);
    return subscription;
  };
  return {
    async join(request, process) {
      const uri = String(request.value.params?.["uri"]);
      const subscription = subscriptionTo(uri);
      subscription.processes.add(process);
      const { text, value } = await subscription.answer;
      if (value.error !== undefined && subscriptions.get(uri) === subscription) subscriptions.delete(uri);
      process.put(setMember(text, "id", idOf(request)));
    },
    leave(process) {
      for (const [uri, { processes }] of subscriptions) {
        if (!processes.delete(process) || processes.size > 0) continue;
        subscriptions.delete(uri);
        // Whatever is answered: nobody wants it here any more.
        void ask("resources/unsubscribe", uri);
      }
    },
    answer(message) {
      const settle = asked.get(message.value.id);
      asked.delete(message.value.id);
      settle?.(message);
      return settle !== undefined;
    },
    isSubscribed: (process, uri) =>
      typeof uri === "string" &&
      [...subscriptions].some(
        ([whole, { processes }]) => processes.has(process) && (uri === whole || isPart(uri, whole)),
      ),
  };
}
