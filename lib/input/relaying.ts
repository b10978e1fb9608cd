import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import type { Input, Reply } from "../exchange/order.ts";
import { setMember } from "../rawjson.ts";
import { limitTime } from "../exchange/turns.ts";
import type { Exchange } from "../exchange/turns.ts";

/** Milliseconds that a client has for its answer, as its user must be asked. */
export const ANSWER_LIMIT_MS = 5 * 60 * 1000;

/**
 * A server's question on the stream of the client's POST, under an id that only this client learns. While a question
 * is open, the time for the request does not run.
 * @throws NO_PLACE_TO_WAIT
 */
export function relay(
  { text }: Message<RequestValue>,
  all: Exchange,
  { relays, places, principal }: Extract<Input, { kind: "relay" }>,
  deliver: (response: Message<ResponseValue>) => void,
): Reply {
  // However many questions of one process are open, it lingers once.
  const release = all.relayed.size === 0 ? places.take({ principal }) : undefined;
  if (release) all.leave = release;
  const question = relays.register(principal, (response) => {
    forget();
    const { requestTimeoutMs } = all.order.server;
    if (all.relayed.size === 0) limitTime(all, requestTimeoutMs, "REQUEST_TIMEOUT");
    deliver(response);
  });
  const forget = (): void => {
    question.forget();
    all.relayed.delete(forget);
    if (all.relayed.size === 0) all.leave();
  };
  all.relayed.add(forget);
  limitTime(all, ANSWER_LIMIT_MS, "ANSWER_TIMEOUT");
  return { kind: "request", text: setMember(text, "id", JSON.stringify(question.id)) };
}
