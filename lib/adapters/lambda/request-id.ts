import { idOf, isRequest } from "../../jsonrpc.ts";
import { messagesIn } from "../../request/classify.ts";
import { bodyOf } from "./http-event.ts";
import type { HttpEvent } from "./platform.ts";

/** The id of the one request that the event brings, as its sender wrote it; undefined where there is none. */
export function requestIdOf(event: HttpEvent): string | undefined {
  try {
    const { messages } = messagesIn(Buffer.from(bodyOf(event)).toString("utf8"));
    const [message, another] = messages;
    return message && !another && isRequest(message) ? idOf(message) : undefined;
  } catch {
    // What is no message has no id.
    return undefined;
  }
}
