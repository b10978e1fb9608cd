import { hasVersion } from "../eras/envelope.ts";
import { MayflyError, errorText } from "../errors.ts";
import { anonymousHandshake, handshakeOf } from "../exchange/initialize.ts";
import type { Handshake } from "../exchange/initialize.ts";
import { idOf, isObject, isRequest, isResponse } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import type { Client } from "../exchange/order.ts";
import type { Incoming } from "./classify.ts";
import { VERSION_WITHOUT_HEADER, isLegacyVersion } from "../revisions.ts";
import { decodeSessionToken, encodeSessionToken, ownSession } from "./session-token.ts";

/** What POSTs of the revisions with a handshake ask for. Source: 2024-11-05 to 2025-11-25/basic/transports. */

/** @throws VERSION_NOT_KNOWN, SESSION_NOT_FOUND */
export function classifyLegacy(
  message: Message<RequestValue>,
  version: string | undefined,
  headers: Headers,
): Incoming {
  const id = idOf(message);
  const client = clientFor(version, headers, id);
  const answer = ownAnswer(message);
  const rest = { client, batch: false, id, session: ownSession(headers) };
  return answer === undefined
    ? { ...rest, requests: [message], answers: [] }
    : { ...rest, requests: [], answers: [answer] };
}

/** Characters of an initialize request that a token is made of; a deeper nested one could not be written again. */
const MAX_TOKEN_SOURCE = 8192;

/** @throws INVALID_INITIALIZE */
export function classifyInitialize(message: Message<RequestValue>): Incoming {
  const id = idOf(message);
  if (!isObject(message.value.params)) throw new MayflyError("INVALID_INITIALIZE");
  const handshake = handshakeOf(message);
  const sessionToken = message.text.length > MAX_TOKEN_SOURCE ? undefined : encodeSessionToken(handshake);
  const client: Client = { era: "legacy", handshake };
  return { client, requests: [message], answers: [], batch: false, sessionToken, id };
}

/**
 * 2025-03-26/basic, Batching; no other revision has it.
 * @throws BATCH_NOT_ALLOWED, SESSION_NOT_FOUND
 */
export function classifyBatch(
  messages: readonly Message[],
  version: string | undefined,
  headers: Headers,
): Incoming {
  const flaw = flawOfBatch(messages, version);
  if (flaw !== undefined) throw new MayflyError("BATCH_NOT_ALLOWED", { values: { detail: flaw } });
  const requests = messages.filter((message) => isRequest(message));
  const answers = requests.map((request) => ownAnswer(request));
  return {
    client: clientFor(version, headers, undefined),
    requests: requests.filter((_, index) => answers[index] === undefined),
    answers: answers.filter((answer) => answer !== undefined),
    batch: true,
  };
}

/** What is wrong with a batch; undefined if nothing is. */
export function flawOfBatch(messages: readonly Message[], version: string | undefined): string | undefined {
  if (version !== undefined && version !== VERSION_WITHOUT_HEADER) {
    return `only protocol version ${VERSION_WITHOUT_HEADER} has batches`;
  }
  if (messages.length === 0) return "it is empty";
  const requests = messages.filter((message) => isRequest(message));
  if (messages.some((message) => isResponse(message))) return "no request waits for a response here";
  if (requests.some(({ value }) => value.method === "initialize")) return "initialize must stand alone";
  if (messages.some(({ value }) => hasVersion(value))) return "its version has no batches";
  const ids = new Set(requests.map(({ value }) => value.id));
  return ids.size < requests.length ? "two requests have the same id" : undefined;
}

function clientFor(version: string | undefined, headers: Headers, id: string | undefined): Client {
  refuseVersion(version);
  const remembered = decodeSessionToken(headers.get("mcp-session-id"), id);
  const protocolVersion = version ?? remembered?.protocolVersion ?? VERSION_WITHOUT_HEADER;
  const handshake: Handshake = { ...anonymousHandshake(protocolVersion), ...remembered, protocolVersion };
  return { era: "legacy", handshake };
}

/** Source: 2025-06-18/basic/transports, Protocol Version Header. @throws VERSION_NOT_KNOWN */
export function refuseVersion(version: string | undefined): void {
  if (version !== undefined && !isLegacyVersion(version)) throw new MayflyError("VERSION_NOT_KNOWN");
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
