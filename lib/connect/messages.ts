import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { isNotification, isRequest, isRequestId } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";

/** What certain messages of a client mean. */

export function isInitialize(message: Message): message is Message<RequestValue> {
  return isRequest(message) && message.value.method === "initialize";
}

export function isPing(message: Message): message is Message<RequestValue> {
  return isRequest(message) && message.value.method === "ping";
}

/** The request that a notification takes back, if it is one that does. */
export function cancelledBy(message: Message): RequestId | undefined {
  if (!isNotification(message) || message.value.method !== "notifications/cancelled") return undefined;
  const id = message.value.params?.["requestId"];
  return isRequestId(id) ? id : undefined;
}
