import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { printable } from "../../logger.ts";
import type { Logger } from "../../logger.ts";

/** Tells the log what became of each request: its method, how long it took and how it ended, and nothing of its content. */
export interface Journal {
  begin(request: Message<RequestValue>): void;
  end(answer: Message<ResponseValue>): void;
  /** The client has taken it back. */
  cancelled(id: RequestId): void;
}

/** Requests that are remembered. Of older ones, which nobody has answered yet, the log says nothing. */
const MAX_OPEN = 10_000;

export function createJournal(logger: Logger): Journal {
  const open = new Map<RequestId, { readonly method: string; readonly startedAt: number }>();
  const close = (id: RequestId, outcome: string): void => {
    const entry = open.get(id);
    if (!entry) return;
    open.delete(id);
    const durationMs = Math.round(performance.now() - entry.startedAt);
    logger.debug({ method: printable(entry.method), durationMs, outcome }, "request");
  };
  return {
    begin({ value: { id, method } }) {
      const [oldest] = open.keys();
      if (open.size >= MAX_OPEN && oldest !== undefined) open.delete(oldest);
      open.set(id, { method, startedAt: performance.now() });
    },
    end: ({ value: { id, error } }) => close(id, error === undefined ? "result" : "error"),
    cancelled: (id) => close(id, "cancelled"),
  };
}
