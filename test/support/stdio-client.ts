import type { StdioClient } from "../../lib/connect/relay.ts";
import type { Message, MessageValue } from "../../lib/jsonrpc.ts";
import { until } from "./deadline.ts";

/** A client at the end of stdio, and what it was told. */
export interface HeardClient {
  readonly write: StdioClient["write"];
  readonly texts: readonly string[];
  /** The message with this id, once it is there. */
  readonly answer: (id: string | number) => Promise<Answer>;
}

export interface Answer {
  readonly id: string | number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

const WAIT_MS = 5000;

export function heardClient(): HeardClient {
  const texts: string[] = [];
  return {
    texts,
    write: async (text) => void texts.push(text),
    answer: (id) =>
      until(
        () =>
          texts
            .map((text) => JSON.parse(text) as Answer)
            .find((message) => !("method" in message) && message.id === id),
        { withinMs: WAIT_MS, label: () => `an answer to ${id} among ${texts.join("\n")}` },
      ),
  };
}

/** A message as it travels. */
export function message<Value extends MessageValue>(value: object | string): Message<Value> {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return { text, value: JSON.parse(text) as Value };
}
