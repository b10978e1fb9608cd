import { paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { memberText } from "../rawjson.ts";

/** An id as a key: a number and a string of the same characters are two, and so are integers above 2^53. */
export function keyOf({ text, value: { id } }: Message<RequestValue> | Message<ResponseValue>): string {
  return isExact(id) ? JSON.stringify(id) : (memberText(text, "id") ?? "");
}

/** The key of the request that a `notifications/cancelled` names; undefined if it names none. */
export function cancelledKey(message: Message): string | undefined {
  const raw = memberText(paramsText(message.text), "requestId");
  if (raw === undefined) return undefined;
  const id: unknown = JSON.parse(raw);
  return isExact(id) ? JSON.stringify(id) : raw;
}

function isExact(id: unknown): boolean {
  return typeof id !== "number" || Number.isSafeInteger(id);
}

/** A message of our own. */
export function messageOf<Value extends Message["value"]>(text: string): Message<Value> {
  return { text, value: JSON.parse(text) as Value };
}
