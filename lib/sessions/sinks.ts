import type { Reply, Replies } from "../exchange/order.ts";
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
export function streamSink(
  outlet: Outlet,
  requests: readonly Message<RequestValue>[],
  finish: () => void,
): Sink {
  return {
    waiting: new Set(requests),
    streams: true,
    deliver: outlet.push,
    answer: outlet.push,
    finish,
  };
}

/** Replies for a response that is written when it is known what they are. */
export interface Collector extends Sink {
  readonly replies: Replies;
}

/** Characters that may wait for a client to read them, when there is another message. */
const MAX_WAITING = 16 * 1024 ** 2;

/**
 * @param streams whether the client reads event streams
 * @param onFull the client reads too slowly, and nothing more is kept for it
 */
export function collector(
  requests: readonly Message<RequestValue>[],
  streams: boolean,
  onFull: () => void,
): Collector {
  const { push, end, values } = createChannel<Reply>();
  let waiting = 0;
  const add = (reply: Reply): void => {
    waiting += reply.text.length;
    push(reply);
  };
  const replies = reading(values, (reply) => (waiting -= reply.text.length));
  return {
    waiting: new Set(requests),
    streams,
    deliver: (text) => (waiting > MAX_WAITING ? onFull() : add({ kind: "notification", text })),
    answer: (text) => add({ kind: "response", text, outcome: "ok" }),
    finish: end,
    replies,
  };
}

async function* reading(replies: Replies, read: (reply: Reply) => void): Replies {
  for await (const reply of replies) {
    read(reply);
    yield reply;
  }
}

/** Hands an answer over, and finishes the sink with its last one. */
export function settleIn(sink: Sink, request: Message<RequestValue>, text: string | undefined): void {
  if (!sink.waiting.delete(request)) return;
  if (text !== undefined) sink.answer(text);
  if (sink.waiting.size === 0) sink.finish();
}
