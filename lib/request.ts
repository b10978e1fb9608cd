import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { MayflyError, errorText } from "./errors.ts";
import { anonymousHandshake, handshakeOf, initializeRequestText } from "./initialize.ts";
import type { Handshake } from "./initialize.ts";
import { flawOf, isObject, isRequest, isRequestId, isResponse } from "./jsonrpc.ts";
import type { Message, MessageValue, RequestValue } from "./jsonrpc.ts";
import { shortened } from "./logger.ts";
import { elements, memberText, members } from "./rawjson.ts";
import { LEGACY_VERSIONS, VERSION_WITHOUT_HEADER, isLegacyVersion, isModernVersion } from "./revisions.ts";
import { decodeSessionToken, encodeSessionToken, ownSession } from "./session-token.ts";

/** What a POST asks for. With neither requests nor answers it asks for nothing: 202. */
export interface Incoming {
  /** What needs a process, as it goes to the server. */
  readonly requests: readonly Message<RequestValue>[];
  /** Answers that need none. */
  readonly answers: readonly string[];
  readonly handshake?: Handshake;
  readonly batch: boolean;
  /** The session id that an answered initialize brings. */
  readonly sessionToken?: string | undefined;
  /** The session id that Mayfly gave to the client. */
  readonly session?: string | undefined;
  /** The request that a cancelled notification means. */
  readonly cancelled?: RequestId;
  /** The raw id of a single request, for errors about it. */
  readonly id?: string | undefined;
}

const CANCELLED = "notifications/cancelled";

const NOTHING: Incoming = { requests: [], answers: [], batch: false };

/**
 * Classifies the text of a body. Source: protocol revisions 2024-11-05 to 2025-11-25.
 * @throws BODY_NOT_JSON, NOT_A_MESSAGE, BATCH_NOT_ALLOWED, RESPONSE_NOT_EXPECTED, SESSION_NOT_FOUND, and the
 * errors about versions
 */
export function classify(text: string, headers: Headers): Incoming {
  const value = parse(text);
  const version = versionOf(headers);
  if (Array.isArray(value)) return classifyBatch(text, value, version, headers);
  const message = toMessage(text, value);
  if (isResponse(message)) throw new MayflyError("RESPONSE_NOT_EXPECTED");
  if (!isRequest(message)) return noted(message, headers);
  refuseModern(message, version);
  return message.value.method === "initialize" ? initialize(message) : single(message, version, headers);
}

function noted({ value }: Message, headers: Headers): Incoming {
  const id = "params" in value && value.method === CANCELLED ? value.params?.["requestId"] : undefined;
  return isRequestId(id) ? { ...NOTHING, session: ownSession(headers), cancelled: id } : NOTHING;
}

function single(message: Message<RequestValue>, version: string | undefined, headers: Headers): Incoming {
  const id = idOf(message);
  const handshake = handshakeFor(version, headers, id);
  const answer = ownAnswer(message);
  const rest = { batch: false, handshake, id, session: ownSession(headers) };
  return answer === undefined
    ? { ...rest, requests: [message], answers: [] }
    : { ...rest, requests: [], answers: [answer] };
}

/** Characters of an initialize request that a token is made of; a deeper nested one could not be written again. */
const MAX_TOKEN_SOURCE = 8192;

function initialize(message: Message<RequestValue>): Incoming {
  const id = idOf(message);
  if (!isObject(message.value.params)) throw new MayflyError("INVALID_INITIALIZE", { id });
  const handshake = handshakeOf(message);
  const request = { text: initializeRequestText(message.text, handshake), value: message.value };
  const sessionToken = message.text.length > MAX_TOKEN_SOURCE ? undefined : encodeSessionToken(handshake);
  return { requests: [request], answers: [], batch: false, sessionToken, id };
}

/** Elements of a batch. A larger one keeps a process longer than one request may. */
const MAX_BATCH = 100;

/** 2025-03-26/basic, Batching; no other revision has it. */
function classifyBatch(
  text: string,
  values: unknown[],
  version: string | undefined,
  headers: Headers,
): Incoming {
  const refused = (detail: string): MayflyError =>
    new MayflyError("BATCH_NOT_ALLOWED", { values: { detail } });
  if (version !== undefined && version !== VERSION_WITHOUT_HEADER) {
    throw refused(`only protocol version ${VERSION_WITHOUT_HEADER} has batches`);
  }
  if (values.length === 0) throw refused("it is empty");
  if (values.length > MAX_BATCH) throw refused(`it has more than ${MAX_BATCH} elements`);
  const messages = elements(text).map((element, index) => toMessage(element, values[index]));
  const flaw = flawOfBatch(messages);
  if (flaw !== undefined) throw refused(flaw);
  const requests = messages.filter((message) => isRequest(message));
  const answers = requests.map((request) => ownAnswer(request));
  return {
    requests: requests.filter((_, index) => answers[index] === undefined),
    answers: answers.filter((answer) => answer !== undefined),
    handshake: handshakeFor(version, headers, undefined),
    batch: true,
  };
}

function flawOfBatch(messages: readonly Message[]): string | undefined {
  const requests = messages.filter((message) => isRequest(message));
  if (messages.some((message) => isResponse(message))) return "no request waits for a response here";
  if (requests.some(({ value }) => value.method === "initialize")) return "initialize must stand alone";
  if (messages.some((message) => requestedVersion(message) !== undefined))
    return "its version has no batches";
  const ids = new Set(requests.map(({ value }) => value.id));
  return ids.size < requests.length ? "two requests have the same id" : undefined;
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
  const detail = flawOf(value) ?? duplicateMember(text);
  if (detail === undefined) return { text, value: value as MessageValue };
  throw new MayflyError("NOT_A_MESSAGE", { values: { detail }, id: readableId(value, text) });
}

function readableId(value: unknown, text: string): string | undefined {
  return isObject(value) && isRequestId(value["id"]) ? memberText(text, "id") : undefined;
}

/** Programs differ in which one of two equal members counts: the server might run another method than was checked. */
function duplicateMember(text: string): string | undefined {
  const seen = new Set<string>();
  const duplicate = members(text).find(({ key }) => seen.size === seen.add(key).size)?.key;
  return duplicate === undefined ? undefined : `its member ${JSON.stringify(duplicate)} stands there twice`;
}

/** A value repeated by a gateway that joins headers is still one value. */
function versionOf(headers: Headers): string | undefined {
  const values = headers
    .get("mcp-protocol-version")
    ?.split(",")
    .map((value) => value.trim());
  const distinct = new Set(values);
  return distinct.size > 1 ? [...distinct].join(",") : values?.[0];
}

const VERSION_KEY = "io.modelcontextprotocol/protocolVersion";
const ENVELOPE_KEYS = [VERSION_KEY, "io.modelcontextprotocol/clientCapabilities"];

function requestedVersion({ value }: Message): unknown {
  const params = "params" in value ? value.params : undefined;
  return isObject(params?.["_meta"]) ? params["_meta"][VERSION_KEY] : undefined;
}

/** The revisions without a handshake. Their clients fall back to initialize when they read what is supported. */
function refuseModern(message: Message<RequestValue>, version: string | undefined): void {
  const id = idOf(message);
  const isInitialize = message.value.method === "initialize";
  const requested = requestedVersion(message);
  if (requested !== undefined && !isInitialize) {
    throw new MayflyError("VERSION_NOT_SUPPORTED", { id, data: { supported: LEGACY_VERSIONS, requested } });
  }
  if (version === undefined || !isModernVersion(version)) return;
  if (isInitialize) throw new MayflyError("HEADER_WITHOUT_ENVELOPE", { id });
  throw new MayflyError("ENVELOPE_MISSING", { id, values: { keys: ENVELOPE_KEYS.join(" and ") } });
}

function handshakeFor(version: string | undefined, headers: Headers, id: string | undefined): Handshake {
  if (version !== undefined && !isLegacyVersion(version)) throw new MayflyError("VERSION_NOT_KNOWN", { id });
  const remembered = decodeSessionToken(headers.get("mcp-session-id"), id);
  const protocolVersion = version ?? remembered?.protocolVersion ?? VERSION_WITHOUT_HEADER;
  return { ...anonymousHandshake(protocolVersion), ...remembered, protocolVersion };
}

/** Methods whose effect would outlive the process. */
const NEEDS_SESSION = /^(?:resources\/(?:un)?subscribe|tasks\/.*)$/;

/** The answer to a request that needs no process. */
function ownAnswer(message: Message<RequestValue>): string | undefined {
  const { method } = message.value;
  const id = idOf(message);
  if (method === "ping") return `{"jsonrpc":"2.0","id":${id},"result":{}}`;
  if (!NEEDS_SESSION.test(method)) return undefined;
  return errorText(new MayflyError("NOT_STATELESS", { values: { method: shortened(method) } }), id);
}

function idOf({ text }: Message<RequestValue>): string {
  return memberText(text, "id") ?? "";
}
