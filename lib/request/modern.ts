import { REQUIRED, envelopeOf } from "../eras/envelope.ts";
import type { Envelope } from "../eras/envelope.ts";
import { LISTEN, META } from "../eras/names.ts";
import { MayflyError } from "../errors.ts";
import { headerValue, mismatch, nameOf, trimmed, versionOf } from "./headers.ts";
import { handshakeOfEnvelope } from "../exchange/initialize.ts";
import { idOf, isObject, paramsText } from "../jsonrpc.ts";
import type { Client } from "../exchange/order.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import { isDeeperThan, isObjectText, memberText } from "../rawjson.ts";
import type { Incoming } from "./classify.ts";
import { MODERN_VERSIONS, isLegacyVersion, isServedModernVersion } from "../revisions.ts";

/**
 * What POSTs of the revision without a handshake ask for, and the checks that such a request must pass.
 * Source: 2026-07-28/basic/transports/streamable-http, Server Validation; basic/versioning.
 */

export interface ModernRules {
  /** Whether MCP-Protocol-Version may name a legacy revision beside a modern envelope. */
  readonly lenientVersionHeader: boolean;
}

/**
 * @throws INVALID_ENVELOPE, HEADER_MISMATCH, VERSION_NOT_SUPPORTED, METHOD_NOT_SERVED, INVALID_FILTER; in this order
 */
export function classifyModern(
  message: Message<RequestValue>,
  headers: Headers,
  rules: ModernRules,
): Incoming {
  const id = idOf(message);
  const envelope = checkedEnvelope(message);
  checkHeaders(message, envelope, headers, rules);
  checkMethod(message);
  return { client: clientOf(envelope), requests: [message], answers: [], batch: false, id };
}

/**
 * The same for a transport without headers. Source: 2026-07-28/basic/transports/stdio.
 * @throws INVALID_ENVELOPE, VERSION_NOT_SUPPORTED, METHOD_NOT_SERVED, INVALID_FILTER; in this order
 */
export function modernClientOf(message: Message<RequestValue>): Client {
  const envelope = checkedEnvelope(message);
  checkVersion(envelope.protocolVersion);
  checkMethod(message);
  return clientOf(envelope);
}

function clientOf(envelope: Envelope): Client {
  return { era: "modern", handshake: handshakeOfEnvelope(envelope), logLevel: envelope.logLevel };
}

function checkMethod({ value: { method, params } }: Message<RequestValue>): void {
  if (REMOVED.test(method)) {
    throw new MayflyError("METHOD_NOT_SERVED", { values: { method: shortened(method) } });
  }
  if (method === LISTEN && !isObject(params?.["notifications"])) {
    throw new MayflyError("INVALID_FILTER");
  }
}

/**
 * Methods of the older revisions (2026-07-28/changelog), and tasks, which need a server that remembers: Mayfly takes
 * their extension out of all capabilities.
 */
const REMOVED = /^(?:initialize|ping|logging\/setLevel|resources\/(?:un)?subscribe|tasks\/.*)$/;

function checkedEnvelope({ text, value }: Message<RequestValue>): Envelope {
  const envelope = flawIn(text) ?? envelopeOf(value);
  if (typeof envelope !== "string") return envelope;
  throw new MayflyError("INVALID_ENVELOPE", { values: { detail: envelope } });
}

/** Levels of `_meta`: what is said about the client is written again for servers of the older revisions. */
const MAX_META_DEPTH = 200;
/** Characters of what is said about the client, which is kept parsed as long as the request runs. Icons have room in it. */
const MAX_SAID = 64 * 1024;

function flawIn(text: string): string | undefined {
  const meta = memberText(paramsText(text), "_meta") ?? "{}";
  if (!isObjectText(meta)) return undefined;
  const said = [META.clientInfo, META.clientCapabilities].map((key) => memberText(meta, key) ?? "").join("");
  if (said.length > MAX_SAID) return `it says more than ${MAX_SAID} characters about the client`;
  return isDeeperThan(meta, MAX_META_DEPTH) ? "it is nested too deeply" : undefined;
}

function checkHeaders(
  { value: { method, params } }: Message<RequestValue>,
  { protocolVersion }: Envelope,
  headers: Headers,
  { lenientVersionHeader }: ModernRules,
): void {
  const version = versionOf(headers);
  const sentMethod = methodIn(headers);
  const isLenient = lenientVersionHeader && isLegacyVersion(version);
  if (version !== undefined && version !== protocolVersion && !isLenient) {
    throw mismatch("MCP-Protocol-Version does not match params._meta");
  }
  if (sentMethod !== undefined && sentMethod !== method) throw mismatch("Mcp-Method does not match method");
  checkVersion(protocolVersion);
  if (version === undefined) throw mismatch("MCP-Protocol-Version is missing");
  if (sentMethod === undefined) throw mismatch("Mcp-Method is missing");
  checkName(nameOf(method, params), headers);
}

function methodIn(headers: Headers): string | undefined {
  const sent = headers.get("mcp-method");
  return sent === null ? undefined : trimmed(sent);
}

function checkVersion(requested: string): void {
  if (isServedModernVersion(requested)) return;
  throw new MayflyError("VERSION_NOT_SUPPORTED", { data: { supported: MODERN_VERSIONS, requested } });
}

function checkName(name: string | undefined, headers: Headers): void {
  if (name === undefined) return;
  const sent = headerValue(headers, "Mcp-Name");
  if (sent === undefined) throw mismatch("Mcp-Name is missing");
  if (sent !== name) throw mismatch("Mcp-Name does not match the request");
}

/** The header says that the body must have an envelope, and it has none. */
export function refuseHeaderAlone(message: Message<RequestValue>): MayflyError {
  if (message.value.method === "initialize") return new MayflyError("HEADER_WITHOUT_ENVELOPE");
  return new MayflyError("ENVELOPE_MISSING", { values: { keys: REQUIRED.join(" and ") } });
}
