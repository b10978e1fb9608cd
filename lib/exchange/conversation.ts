import { randomUUID } from "node:crypto";

import { MayflyError, errorText } from "../errors.ts";
import { isRequest, isResponse, messagesOf, onOneLine } from "../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { onAbort } from "../lifetime.ts";
import type { Logger } from "../logger.ts";
import type { OwnProcess } from "../processes.ts";
import { settlesWithin } from "../promises.ts";
import { memberText } from "../rawjson.ts";
import { earlyEnd } from "../reasons.ts";
import type { Server } from "../servers.ts";
import { strayReporter } from "./strays.ts";

/** What answers a request of our own, and its text. */
export type Answer = ResponseValue & { readonly text: string };

/** A server process, as a JSON-RPC peer that we speak with. */
export interface Conversation {
  readonly process: OwnProcess;
  /** Resolves when there is room for the next message; never rejects. */
  send(text: string): Promise<void>;
  /**
   * The next message of the server.
   * @param method what the server has not answered yet, for the error
   * @throws what the server did instead; the reason of a signal that was given to `listen`
   */
  next(method: string): Promise<Message>;
  /** The same, but undefined if none comes within that many milliseconds; the message then comes next time. */
  nextWithin(method: string, ms: number): Promise<Message | undefined>;
  /**
   * A request of our own and its answer. Requests of the server are refused meanwhile.
   * @param textFor writes the request with the id that it is given
   * @param keep whether what else the server says is for later; else it is dropped, as it is about no request of the client
   */
  ask(method: string, textFor: (id: string) => string, keep?: boolean): Promise<Answer>;
  /** Ends the reading when the signal fires. Returns how to let go of it. */
  listen(signal: AbortSignal): () => void;
}

export interface ConversationOptions {
  readonly logger: Logger;
  /** Called with every message, as seen from the server. Must not throw. */
  readonly onMessage: (direction: "in" | "out", text: string) => void;
  /** Bytes of all lines of the server together. @default no limit, for a process of more than one request */
  readonly maxOutputBytes?: number | undefined;
}

/** Speaks with a process. What is not JSON-RPC is skipped. */
export function converse(process: OwnProcess, server: Server, options: ConversationOptions): Conversation {
  const reading = new AbortController();
  const messages = readMessages(process.child.lines(reading.signal, options.maxOutputBytes), server, options);
  let pending: Promise<IteratorResult<Message, void>> | undefined;
  const pull = (): Promise<IteratorResult<Message, void>> => (pending ??= messages.next());
  const kept: Message[] = [];
  const takeFresh = async (method: string): Promise<Message> => {
    const { value } = await pull().finally(() => (pending = undefined));
    if (value) return value;
    reading.signal.throwIfAborted();
    throw await earlyEnd(process.child, server, method);
  };
  const take = async (method: string): Promise<Message> => kept.shift() ?? takeFresh(method);
  const conversation: Conversation = {
    process,
    send: (text) => {
      const line = onOneLine(text);
      options.onMessage("in", line);
      return process.child.send(line);
    },
    next: take,
    nextWithin: async (method, ms) =>
      kept.length > 0 || (await settlesWithin(pull(), ms)) ? take(method) : undefined,
    ask: async (method, textFor, keep = false) => {
      const id = ownId();
      void conversation.send(textFor(id));
      for (;;) {
        const message = await takeFresh(method);
        if (isRequest(message)) await conversation.send(refusalOf(message));
        else if (isAnswerTo(id, message)) return { ...message.value, text: message.text };
        else if (keep) keepFor(message, kept, server);
      }
    },
    listen: (signal) => onAbort(signal, () => reading.abort(signal.reason)),
  };
  return conversation;
}

/** The id of a request that is not the client's: no client has one like it. */
export function ownId(): string {
  return `mayfly-${randomUUID()}`;
}

async function* readMessages(
  lines: AsyncIterable<string>,
  server: Server,
  { logger, onMessage }: ConversationOptions,
): AsyncGenerator<Message, void, void> {
  const tell = strayReporter(server, logger);
  for await (const line of lines) {
    const content = messagesOf(line);
    tell(line, content);
    for (const message of content?.messages ?? []) {
      onMessage("out", message.text);
      yield message;
    }
  }
}

/** Messages, and characters of them all, that may wait until somebody asks for them. */
const MAX_KEPT = 1000;
const MAX_KEPT_TEXT = 16 * 1024 ** 2;

/** @throws TOO_MUCH_TALK for a server that talks on instead of answering */
function keepFor(message: Message, kept: Message[], { name }: Server): void {
  const characters = kept.reduce((sum, { text }) => sum + text.length, message.text.length);
  const isLong = characters > MAX_KEPT_TEXT;
  if (isLong || kept.length >= MAX_KEPT) {
    const limit = isLong ? `${MAX_KEPT_TEXT} characters` : MAX_KEPT;
    throw new MayflyError("TOO_MUCH_TALK", { values: { server: name, limit } });
  }
  kept.push(message);
}

function isAnswerTo(id: string, message: Message): message is Message<ResponseValue> {
  return isResponse(message) && message.value.id === id;
}

/** 2025-11-25/basic/utilities/ping; any other request needs a client, and nobody promised one. */
export function refusalOf({ text, value: { method } }: Message<RequestValue>): string {
  const id = memberText(text, "id") ?? "null";
  if (method === "ping") return `{"jsonrpc":"2.0","id":${id},"result":{}}`;
  return errorText(new MayflyError("CLIENT_OUT_OF_REACH"), id);
}
