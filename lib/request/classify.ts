import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { envelopeOf, hasVersion } from "../eras/envelope.ts";
import { MayflyError, withId } from "../errors.ts";
import { versionOf } from "./headers.ts";
import { flawOf, idOf, isObject, isRequest, isRequestId, isResponse } from "../jsonrpc.ts";
import type { Message, MessageValue, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import { classifyBatch, classifyInitialize, classifyLegacy } from "./legacy.ts";
import { classifyModern, refuseHeaderAlone } from "./modern.ts";
import type { ModernRules } from "./modern.ts";
import type { Client } from "../exchange/order.ts";
import {
  elements,
  holdsMoreThan,
  isArrayText,
  isLongerThan,
  isObjectText,
  memberText,
  members,
} from "../rawjson.ts";
import { isModernVersion, isServedModernVersion } from "../revisions.ts";
import { routedBy } from "./routed-by.ts";
import { ownSession } from "./session-token.ts";

/** What a POST asks for. With neither requests nor answers it asks for nothing: 202. */
export interface Incoming {
  readonly client?: Client;
  /** What needs a server, as the client wrote it. */
  readonly requests: readonly Message<RequestValue>[];
  /** Answers that need none. */
  readonly answers: readonly string[];
  readonly batch: boolean;
  /** The session id that an answered initialize brings. */
  readonly sessionToken?: string | undefined;
  /** The session id that Mayfly gave to the client. */
  readonly session?: string | undefined;
  /** The request that a cancelled notification means. */
  readonly cancelled?: RequestId;
  /** The answer of a client to a question that a server has asked it. */
  readonly response?: Message<ResponseValue>;
  /** The raw id of a single request, for errors about it. */
  readonly id?: string | undefined;
}

const CANCELLED = "notifications/cancelled";

const NOTHING: Incoming = { requests: [], answers: [], batch: false };

/** The messages of a POST. */
export interface Posted {
  readonly messages: readonly Message[];
  readonly batch: boolean;
}

/**
 * Classifies what was posted by its era, and checks what can be checked before there is a server.
 * @throws BATCH_NOT_ALLOWED, SESSION_NOT_FOUND, and the errors about versions, envelopes and headers
 */
export function classify({ messages, batch }: Posted, headers: Headers, rules: ModernRules): Incoming {
  const version = versionOf(headers);
  const [message] = messages;
  if (batch || !message) return classifyBatch(messages, version, headers);
  if (isResponse(message)) return { ...NOTHING, response: message };
  if (!isRequest(message)) return noted(message, headers);
  try {
    return classifyRequest(message, version, headers, rules);
  } catch (error) {
    throw withId(error, idOf(message));
  }
}

/**
 * The messages of a body, whatever they ask for.
 * @throws BATCH_NOT_ALLOWED for one that is too long, BODY_NOT_JSON, NOT_A_MESSAGE
 */
export function messagesIn(text: string): Posted {
  // Before it is read: tens of thousands of messages fit into one body.
  if (isArrayText(text) && isLongerThan(text, MAX_BATCH)) throw tooLongBatch();
  if (holdsMoreThan(text, MAX_NESTED)) throw tooManyNested();
  const value = parse(text);
  const batch = Array.isArray(value);
  return { messages: batch ? messagesOf(text, value) : [toMessage(text, value)], batch };
}

/** Elements of a batch. A larger one keeps a process longer than one request may. */
const MAX_BATCH = 100;

/** Objects and arrays in a body. Parsed, each takes twenty times its room. */
const MAX_NESTED = 100_000;

function tooManyNested(): MayflyError {
  const detail = `it holds more than ${MAX_NESTED} objects and arrays`;
  return new MayflyError("NOT_A_MESSAGE", { values: { detail } });
}

function tooLongBatch(): MayflyError {
  const detail = `it has more than ${MAX_BATCH} elements`;
  return new MayflyError("BATCH_NOT_ALLOWED", { values: { detail } });
}

/** An initialize request is legacy unless all that it says is modern. */
function classifyRequest(
  message: Message<RequestValue>,
  version: string | undefined,
  headers: Headers,
  rules: ModernRules,
): Incoming {
  const isInitialize = message.value.method === "initialize";
  const isModern = isInitialize ? hasServedEnvelope(message.value) : hasVersion(message.value);
  if (isModern) return classifyModern(message, headers, rules);
  if (version !== undefined && isModernVersion(version)) throw refuseHeaderAlone(message);
  return isInitialize ? classifyInitialize(message) : classifyLegacy(message, version, headers);
}

function hasServedEnvelope(value: RequestValue): boolean {
  const envelope = envelopeOf(value);
  return typeof envelope !== "string" && isServedModernVersion(envelope.protocolVersion);
}

function noted({ value }: Message, headers: Headers): Incoming {
  const id = "params" in value && value.method === CANCELLED ? value.params?.["requestId"] : undefined;
  return isRequestId(id) ? { ...NOTHING, session: ownSession(headers), cancelled: id } : NOTHING;
}

function messagesOf(text: string, values: readonly unknown[]): Message[] {
  return elements(text).map((element, index) => toMessage(element, values[index]));
}

function parse(text: string): unknown {
  if (text.trim() === "") throw new MayflyError("BODY_NOT_JSON", { values: { detail: "it is empty" } });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MayflyError("BODY_NOT_JSON", { values: { detail: (cause as Error).message }, cause });
  }
}

function toMessage(text: string, value: unknown): Message {
  const detail = flawOf(value) ?? flawOfMembers(text);
  if (detail === undefined) return { text, value: routedBy(value as MessageValue) };
  throw new MayflyError("NOT_A_MESSAGE", { values: { detail }, id: readableId(value, text) });
}

function readableId(value: unknown, text: string): string | undefined {
  if (!isObject(value) || !isRequestId(value["id"])) return undefined;
  const member = members(text, MAX_MEMBERS).findLast(({ key }) => key === "id");
  return member && text.slice(member.start, member.end);
}

/** Members of a message, of its params, or of its _meta. Each is looked at several times. */
const MAX_MEMBERS = 1000;

/** Programs differ in which one of two equal members counts: the server might run another method than was checked. */
function flawOfMembers(text: string): string | undefined {
  return (
    flawOfObject(text, MESSAGE_MEMBERS) ??
    flawOfMember(text, "params", PARAMS_MEMBERS) ??
    flawOfMember(memberText(text, "params"), "_meta", [])
  );
}

function flawOfMember(text: string | undefined, key: string, known: readonly string[]): string | undefined {
  const member = isObjectText(text) ? memberText(text, key) : undefined;
  return isObjectText(member) ? flawOfObject(member, known) : undefined;
}

const MESSAGE_MEMBERS = ["jsonrpc", "id", "method", "params"];
const PARAMS_MEMBERS = ["name", "uri", "arguments", "_meta"];

function flawOfObject(text: string, known: readonly string[]): string | undefined {
  const keys = members(text, MAX_MEMBERS + 1).map(({ key }) => key);
  if (keys.length > MAX_MEMBERS) return `an object has more than ${MAX_MEMBERS} members`;
  const seen = new Set<string>();
  const repeated = keys.find((key) => seen.size === seen.add(key).size);
  if (repeated !== undefined) return `its member ${JSON.stringify(shortened(repeated))} stands there twice`;
  // Some programs read a member whatever the case of its name.
  const variant = keys.find((key) => !known.includes(key) && known.includes(key.toLowerCase()));
  return variant === undefined
    ? undefined
    : `its member ${JSON.stringify(variant)} is written in another case`;
}
