import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";

import type { Relay, StdioClient } from "../../lib/connect/relay.ts";
import { messageOf } from "./relay-client.ts";

/** The stdio of a real client, as far as a relay sees it. */
export interface RelayTransport extends Transport {
  readonly client: StdioClient;
  use(relay: Relay): void;
}

export function createRelayTransport(): RelayTransport {
  let relay: Relay | undefined;
  const transport: RelayTransport = {
    client: { write: async (text) => transport.onmessage?.(JSON.parse(text)) },
    use: (used) => void (relay = used),
    start: async () => undefined,
    send: async (message) => relay?.receive(messageOf(message)),
    close: async () => transport.onclose?.(),
  };
  return transport;
}
