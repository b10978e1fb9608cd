import { isRequest } from "../jsonrpc.ts";
import type { Message } from "../jsonrpc.ts";
import type { SessionClient } from "./client.ts";
import type { Membership } from "./session.ts";
import { collector, settleIn } from "./sinks.ts";
import type { Collected } from "./streamable-client.ts";

/**
 * Takes the messages of a POST from somebody who is part of the session for as long as that lasts: `curl`, and agents
 * that make no handshake.
 * @param streams whether the client reads event streams
 */
export function collectAlone(
  messages: readonly Message[],
  streams: boolean,
  join: (client: SessionClient) => Membership,
): Collected {
  const sink = collector(messages.filter(isRequest), streams, () => leave());
  const leave = (): void => {
    sink.finish();
    membership.leave();
  };
  const membership = join({
    // What is about none of its requests is news to somebody who stays.
    deliver: (text, about) => (streams && about ? sink.deliver(text) : undefined),
    settle(request, text) {
      settleIn(sink, request, text);
      if (sink.waiting.size === 0) leave();
    },
    end: sink.finish,
  });
  for (const message of messages) membership.receive(message);
  if (sink.waiting.size === 0) leave();
  return { replies: sink.replies, cancel: leave, isAnswered: () => sink.waiting.size === 0 };
}
