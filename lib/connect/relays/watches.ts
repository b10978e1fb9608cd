import { ownId } from "../../exchange/conversation.ts";
import { requestText } from "../../eras/request-down.ts";
import { idOf } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { setMember } from "../../rawjson.ts";
import { isPart } from "../../sessions/subscriptions.ts";
import type { Seat } from "./seat.ts";

/** Resources that a session watches for several subscriptions: the remote hears of the first one and of the last. */
export interface Watches {
  /** Subscribes for a seat, which gets the answer. */
  join(request: Message<RequestValue>, seat: Seat): Promise<void>;
  leave(seat: Seat): void;
  /** @returns whether the message is the answer to a request of these */
  answer(message: Message<ResponseValue>): boolean;
  /** Whether a seat watches a resource, or what it is a part of. */
  isWatching(seat: Seat, uri: unknown): boolean;
}

interface Watch {
  readonly seats: Set<Seat>;
  readonly answer: Promise<Message<ResponseValue>>;
}

export function createWatches(send: (text: string) => Promise<void>): Watches {
  const watches = new Map<string, Watch>();
  const asked = new Map<unknown, (answer: Message<ResponseValue>) => void>();
  const ask = (method: string, uri: string): Promise<Message<ResponseValue>> => {
    const id = ownId();
    const answer = new Promise<Message<ResponseValue>>((resolve) => asked.set(id, resolve));
    // Its answer is what counts, and that it was taken follows from it.
    void send(requestText(id, method, JSON.stringify({ uri })));
    return answer;
  };
  const watchFor = (uri: string): Watch => {
    const watch = watches.get(uri) ?? { seats: new Set(), answer: ask("resources/subscribe", uri) };
    watches.set(uri, watch);
    return watch;
  };
  return {
    async join(request, seat) {
      const uri = String(request.value.params?.["uri"]);
      const watch = watchFor(uri);
      watch.seats.add(seat);
      const { text, value } = await watch.answer;
      if (value.error !== undefined && watches.get(uri) === watch) watches.delete(uri);
      seat.put(setMember(text, "id", idOf(request)));
    },
    leave(seat) {
      for (const [uri, { seats }] of watches) {
        if (!seats.delete(seat) || seats.size > 0) continue;
        watches.delete(uri);
        // Whatever is answered: nobody watches it here any more.
        void ask("resources/unsubscribe", uri);
      }
    },
    answer(message) {
      const settle = asked.get(message.value.id);
      asked.delete(message.value.id);
      settle?.(message);
      return settle !== undefined;
    },
    isWatching: (seat, uri) =>
      typeof uri === "string" &&
      [...watches].some(([whole, { seats }]) => seats.has(seat) && (uri === whole || isPart(uri, whole))),
  };
}
