import { onOneLine } from "./jsonrpc.ts";

/** Event streams as they are written. Source: HTML, 9.2.6 (Interpreting an event stream). */

export const STREAM_HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store, no-transform",
  "X-Accel-Buffering": "no",
};

export function isEventStream(headers: Headers): boolean {
  return headers.get("Content-Type") === STREAM_HEADERS["Content-Type"];
}

/** A message as an event. Without an id where nothing can be resumed: a client would try to. */
export function frame(text: string, id?: string): string {
  return `event: message\n${id === undefined ? "" : `id: ${id}\n`}data: ${onOneLine(text)}\n\n`;
}

/** What keeps an idle connection open. */
export const COMMENT = encode(": keep-alive\n\n");

export function encode(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}
