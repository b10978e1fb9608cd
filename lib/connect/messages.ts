import { isNotification, isRequest, paramsText } from "../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { memberText } from "../rawjson.ts";

/** What certain messages mean, and which of them belong together. */

export function isInitialize(message: Message): message is Message<RequestValue> {
  return isRequest(message) && message.value.method === "initialize";
}

export function isPing(message: Message): message is Message<RequestValue> {
  return isRequest(message) && message.value.method === "ping";
}

export function isCancelling(message: Message): message is Message<NotificationValue> {
  return isNotification(message) && message.value.method === "notifications/cancelled";
}

/** An id as a key: a number and a string of the same characters are two, and so are integers above 2^53. */
export function keyOf({ text, value: { id } }: Message<RequestValue> | Message<ResponseValue>): string {
  return isExact(id) ? JSON.stringify(id) : (memberText(text, "id") ?? "");
}

/** The key of the request that a message takes back; undefined if it takes back none. */
export function cancelledBy(message: Message): string | undefined {
  const raw = isCancelling(message) ? memberText(paramsText(message.text), "requestId") : undefined;
  if (raw === undefined) return undefined;
  const id: unknown = JSON.parse(raw);
  return isExact(id) ? JSON.stringify(id) : raw;
}

function isExact(id: unknown): boolean {
  return typeof id !== "number" || Number.isSafeInteger(id);
}
