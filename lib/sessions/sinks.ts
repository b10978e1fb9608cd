import type { Reply } from "../exchange/order.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { createChannel } from "./channel.ts";
import type { Outlet } from "./outlet.ts";

/** Where the messages about the requests of one POST go. */
export interface Sink {
  /** Requests without an answer. */
  readonly waiting: Set<Message<RequestValue>>;
  /** Whether it takes messages that are no answers. */
  readonly streams: boolean;
  readonly deliver: (text: string) => void;
  readonly answer: (text: string) => void;
  /** There will be no more. */
  readonly finish: () => void;
}

/** The stream of a POST that can be resumed. */
export function streamSink(outlet: Outlet, requests: readonly Message<RequestValue>[]): Sink {
  return {
    waiting: new Set(requests),
    streams: true,
    deliver: outlet.push,
    answer: outlet.push,
    finish: outlet.finish,
  };
}

/** Replies for a response that is written when it is known what they are. */
export interface Collector extends Sink {
  readonly replies: AsyncGenerator<Reply, void, void>;
}

/** @param streams whether the client reads event streams */
export function collector(requests: readonly Message<RequestValue>[], streams: boolean): Collector {
  const { push, end, values } = createChannel<Reply>();
  return {
    waiting: new Set(requests),
    streams,
    deliver: (text) => push({ kind: "notification", text }),
    answer: (text) => push({ kind: "response", text, outcome: "ok" }),
    finish: end,
    replies: values,
  };
}

/** Hands an answer over, and finishes the sink with its last one. */
export function settleIn(sink: Sink, request: Message<RequestValue>, text: string | undefined): void {
  if (!sink.waiting.delete(request)) return;
  if (text !== undefined) sink.answer(text);
  if (sink.waiting.size === 0) sink.finish();
}
