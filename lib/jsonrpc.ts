import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { elements, holdsMoreThan, isLongerThan, isObjectText, memberText } from "./rawjson.ts";

/** One JSON-RPC message: the text that travels, and a parsed copy to route by. */
export interface Message<Value extends MessageValue = MessageValue> {
  readonly text: string;
  readonly value: Value;
}

export interface RequestValue {
  readonly id: RequestId;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export interface NotificationValue {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export interface ResponseValue {
  readonly id: RequestId;
  readonly result?: unknown;
  readonly error?: unknown;
}

export type MessageValue = RequestValue | NotificationValue | ResponseValue;

export function isRequest(message: Message): message is Message<RequestValue> {
  return "method" in message.value && "id" in message.value;
}

export function isNotification(message: Message): message is Message<NotificationValue> {
  return !("id" in message.value);
}

export function isResponse(message: Message): message is Message<ResponseValue> {
  return !("method" in message.value);
}

/** A text that is known to be a message: one of our own, or one that was read before. */
export function messageOf<Value extends MessageValue = MessageValue>(text: string): Message<Value> {
  return { text, value: JSON.parse(text) as Value };
}

/** The id as its sender wrote it. */
export function idOf({ text }: Message<RequestValue>): string {
  return memberText(text, "id") ?? "";
}

/** The params of a message as text: those of an object that has none are empty. */
export function paramsText(text: string): string {
  const params = memberText(text, "params");
  return isObjectText(params) ? params : "{}";
}

/** Why a parsed value is not a JSON-RPC message of MCP, or undefined if it is one. Source: 2025-11-25/basic, Messages. */
export function flawOf(value: unknown): string | undefined {
  if (!isObject(value)) return "it is not an object";
  if (value["jsonrpc"] !== "2.0") return 'its jsonrpc member is not "2.0"';
  if ("id" in value && !isRequestId(value["id"])) return "its id is neither a string nor an integer";
  return "method" in value ? flawOfCall(value) : flawOfResponse(value);
}

function flawOfCall({ method, params }: Record<string, unknown>): string | undefined {
  if (typeof method !== "string") return "its method is not a string";
  return params === undefined || isObject(params) ? undefined : "its params are not an object";
}

function flawOfResponse(value: Record<string, unknown>): string | undefined {
  if (!("result" in value) && !("error" in value)) return "it has no method, no result and no error";
  return "id" in value ? undefined : "it is a response without an id";
}

/** Elements of a batch from a server, or members of a message. */
const MAX_PARTS = 1000;
/** Objects and arrays in a line from a server. Each of millions would take many times its room in memory. */
export const MAX_NESTED = 1_000_000;

/** A line from a server that would take too much room to be read. It may be an answer, so nobody may wait for it. */
export class TooManyValues extends Error {
  override readonly name = "TooManyValues";
}

/** What a line from a server holds. */
export interface Content {
  readonly messages: readonly Message[];
  /** Of each object that is no message. */
  readonly flaws: readonly string[];
}

/**
 * The messages of one line from a server; arrays are flattened (2025-03-26/basic, Batching). More of them in one line
 * than any server sends are not read. Undefined: neither an object nor an array.
 * @throws TooManyValues
 */
export function messagesOf(line: string): Content | undefined {
  if (isLongerThan(line, MAX_PARTS)) return { messages: [], flaws: [`it has more than ${MAX_PARTS} parts`] };
  if (holdsMoreThan(line, MAX_NESTED)) throw new TooManyValues();
  const parsed = parse(line);
  if (!isObject(parsed) && !Array.isArray(parsed)) return undefined;
  const texts = Array.isArray(parsed) ? elements(line) : [line.trim()];
  const values: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  const content = { messages: [] as Message[], flaws: [] as string[] };
  for (const [index, value] of values.entries()) {
    const flaw = flawOf(value);
    const text = texts[index] ?? "";
    if (flaw === undefined) content.messages.push({ text, value: lean(value as MessageValue, text) });
    else content.flaws.push(flaw);
  }
  return content;
}

/** Characters of a result that is not kept parsed beside its text: it would take the same room again. */
const LONG = 256 * 1024;

/** Of a long result, what is asked for is read again. */
function lean(value: MessageValue, text: string): MessageValue {
  if (text.length <= LONG || !("result" in value) || "method" in value || value.error !== undefined)
    return value;
  return {
    id: value.id,
    get result() {
      return (parse(text) as ResponseValue).result;
    },
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * The text as one line of stdio, or one `data:` line. JSON allows line breaks between tokens only, so a space
 * in their place changes no value. Source: 2025-11-25/basic/transports, stdio.
 */
export function onOneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, " ") : text;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isRequestId(id: unknown): id is RequestId {
  return typeof id === "string" || Number.isInteger(id);
}
