import type { Child } from "./child.ts";
import { METHOD_NOT_FOUND } from "./errors.ts";
import { isRequest, messagesOf, onOneLine } from "./jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "./jsonrpc.ts";
import type { Logger } from "./logger.ts";
import { memberText } from "./rawjson.ts";

/** What a server says of its own accord, or in answer to us. */
export type ServerMessage = Message<NotificationValue> | Message<ResponseValue>;

/** One server process as a JSON-RPC peer. */
export interface Connection {
  /** The next message; undefined when there will be none. */
  next(): Promise<ServerMessage | undefined>;
  /** Resolves when there is room for the next message; never rejects. */
  send(text: string): Promise<void>;
}

export interface ConnectionOptions {
  readonly logger: Logger;
  /** Called with every message, as seen from the server. Must not throw. */
  readonly onMessage: (direction: "in" | "out", text: string) => void;
}

/**
 * Speaks with a server until it ends or the signal fires. What is not JSON-RPC is skipped, and a request of
 * the server is answered here: nobody waits at the other end of a request that lives for one POST.
 */
export function connect(child: Child, signal: AbortSignal, options: ConnectionOptions): Connection {
  const send = (text: string): Promise<void> => {
    const line = onOneLine(text);
    options.onMessage("in", line);
    return child.send(line);
  };
  const messages = readMessages(child.lines(signal), send, options);
  return { send, next: async () => (await messages.next()).value ?? undefined };
}

async function* readMessages(
  lines: AsyncIterable<string>,
  send: (text: string) => Promise<void>,
  { logger, onMessage }: ConnectionOptions,
): AsyncGenerator<ServerMessage, void, void> {
  for await (const line of lines) {
    const { messages, strays } = messagesOf(line) ?? { messages: [], strays: line.trim() === "" ? 0 : 1 };
    if (strays > 0)
      logger.debug({ characters: line.length }, "The server wrote something that is not JSON-RPC");
    for (const message of messages) {
      onMessage("out", message.text);
      // Awaited: a server that asks without end and never reads would fill our memory with answers.
      if (isRequest(message)) await send(ownAnswer(message));
      else yield message as ServerMessage;
    }
  }
}

/** 2025-11-25/basic/utilities/ping; any other request needs a client, and none was advertised. */
function ownAnswer({ text, value: { method } }: Message<RequestValue>): string {
  const id = memberText(text, "id") ?? "null";
  if (method === "ping") return `{"jsonrpc":"2.0","id":${id},"result":{}}`;
  const error = JSON.stringify({ code: METHOD_NOT_FOUND, message: "The client cannot be reached from here" });
  return `{"jsonrpc":"2.0","id":${id},"error":${error}}`;
}
