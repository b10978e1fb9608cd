import type { Replies } from "../../exchange/order.ts";
import { isNotification, isRequest, isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import type { Relay, RelayOptions } from "../relay.ts";
import type { ModernRemote } from "../remote.ts";
import { createInFlight } from "./in-flight.ts";
import { untilAnswer } from "./until-answer.ts";

/**
 * Passes everything on as it is: a POST for each request, whatever else is in flight. A request that the client cancels
 * loses its stream, which tells the server. Source: 2026-07-28/basic/transports/streamable-http, Cancellation.
 */
export function createModernBeforeModern({ remote, client, logger }: RelayOptions<ModernRemote>): Relay {
  const inFlight = createInFlight(client, logger);
  return {
    async receive(message) {
      if (isRequest(message)) {
        await inFlight.begin(message, ({ signal }) => repliesOf(remote, message, signal));
      } else if (!isNotification(message)) logger.debug({}, "An answer of the client to nothing: dropped");
      else if (!inFlight.cancelledBy(message)) await remote.notify(message);
    },
    close: () => inFlight.close(),
  };
}

/** @throws MayflyError in place of an answer */
async function* repliesOf(
  remote: ModernRemote,
  request: Message<RequestValue>,
  signal: AbortSignal,
): Replies {
  for await (const message of untilAnswer(remote.request(request, signal), request, signal)) {
    const { text } = message;
    if (!isResponse(message)) yield { kind: "notification", text };
    else yield { kind: "response", text, outcome: message.value.error === undefined ? "ok" : "error" };
  }
}
