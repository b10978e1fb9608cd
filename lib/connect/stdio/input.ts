import type { Readable } from "node:stream";

import { MayflyError, errorText } from "../../errors.ts";
import { MAX_NESTED, TooManyValues, flawOf, isObject, isRequestId, messagesOf } from "../../jsonrpc.ts";
import type { Content, Message } from "../../jsonrpc.ts";
import { readLines } from "../../lines.ts";
import type { Logger } from "../../logger.ts";

export interface InputOptions {
  /** Bytes of one line. A longer one is skipped. */
  readonly maxLineBytes: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Takes the answer to a line that is no message, and resolves when there is room for the next one. */
  readonly refuse: (text: string) => Promise<void>;
}

/**
 * The messages of the client, in order, until the input ends or the signal fires. A line that is no message is answered
 * and never ends anything. A batch is taken as so many messages, each with an answer of its own: only clients of
 * 2025-03-26 may send one, and over stdio nothing tells them where an answer came from.
 */
export async function* readMessages(
  input: Readable,
  { maxLineBytes, signal, logger, refuse }: InputOptions,
): AsyncGenerator<Message, void, void> {
  const refuseFor = (error: MayflyError): Promise<void> => {
    logger.warn({ code: error.code }, "The client wrote a line that is no message");
    return refuse(errorText(error));
  };
  const tooLong = new MayflyError("CLIENT_LINE_TOO_LONG", { values: { limit: maxLineBytes } });
  // Its writer has written so much that one answer more is of no weight.
  const skipped = (): void => void refuseFor(tooLong);
  for await (const line of readLines(input, maxLineBytes, signal, { skipped })) {
    const text = withoutMark(line);
    if (text.trim() === "") continue;
    const content = contentOf(text);
    for (const flaw of flawsOf(text, content)) await refuseFor(flaw);
    if (typeof content === "object") yield* content.messages;
  }
}

/** Some shells put a byte order mark before what they pipe. */
function withoutMark(line: string): string {
  return line.charCodeAt(0) === 0xfeff ? line.slice(1) : line;
}

/** @returns a flaw of the whole line as a text */
function contentOf(line: string): Content | string | undefined {
  try {
    return messagesOf(line);
  } catch (error) {
    if (!(error instanceof TooManyValues)) throw error;
    return `it holds more than ${MAX_NESTED} objects and arrays`;
  }
}

/** Each with the id of its request, where one can be read: its sender waits for it. */
function flawsOf(line: string, content: Content | string | undefined): MayflyError[] {
  if (typeof content === "string") return [notAMessage(content, undefined)];
  if (content?.flaws.length === 0)
    return content.messages.length > 0 ? [] : [notAMessage("it is empty", undefined)];
  const parsed = parse(line);
  if (parsed === undefined) return [new MayflyError("LINE_NOT_JSON")];
  const values: unknown[] = Array.isArray(parsed) && content ? parsed : [parsed];
  return values.flatMap((value) => {
    const flaw = flawOf(value);
    return flaw === undefined ? [] : [notAMessage(flaw, idIn(value))];
  });
}

function notAMessage(detail: string, id: string | undefined): MayflyError {
  return new MayflyError("NOT_A_MESSAGE", { values: { detail }, id });
}

/** Not of a response: an error under its id would be taken for the answer to another request. */
function idIn(value: unknown): string | undefined {
  if (!isObject(value) || !("method" in value) || !isRequestId(value["id"])) return undefined;
  return JSON.stringify(value["id"]);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
