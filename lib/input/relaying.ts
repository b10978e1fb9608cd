import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import type { Reply } from "../exchange/order.ts";
import { setMember } from "../rawjson.ts";
import type { Relays } from "./relays.ts";
import { limitTime } from "../exchange/turns.ts";
import type { Exchange } from "../exchange/turns.ts";

/** Milliseconds that a client has for its answer, as its user must be asked. */
const ANSWER_LIMIT_MS = 5 * 60 * 1000;

/**
 * A server's question on the stream of the client's POST, under an id that only this client learns. While a question
 * is open, the time for the request does not run.
 */
export function relay(
  { text }: Message<RequestValue>,
  all: Exchange,
  relays: Relays,
  deliver: (response: Message<ResponseValue>) => void,
): Reply {
  const question = relays.register((response) => {
    forget();
    const { requestTimeoutMs } = all.order.server;
    if (all.relayed.size === 0) limitTime(all, requestTimeoutMs, "REQUEST_TIMEOUT");
    deliver(response);
  });
  const forget = (): void => {
    question.forget();
    all.relayed.delete(forget);
  };
  all.relayed.add(forget);
  limitTime(all, ANSWER_LIMIT_MS, "ANSWER_TIMEOUT");
  return { kind: "request", text: setMember(text, "id", JSON.stringify(question.id)) };
}
