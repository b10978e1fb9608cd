import type { Implementation } from "@modelcontextprotocol/sdk/types.js";

import { paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { compact, deleteMember, memberText, setMember } from "../rawjson.ts";
import { MODERN_VERSIONS } from "../revisions.ts";
import {
  deleteMeta,
  editObject,
  keptCapabilitiesText,
  restrictedCapabilitiesText,
  setMeta,
} from "./capabilities.ts";
import type { ClientCapabilities } from "./capabilities.ts";
import { META, MULTI_ROUND_TRIP } from "./names.ts";

/** Requests on their way to a server of the other era, as text. Pure: nothing but what is named here changes. */

/** Who calls, as every modern request says it. Source: 2026-07-28/basic, Per-request protocol fields. */
export interface Introduction {
  readonly clientInfo: Implementation;
  readonly capabilities: ClientCapabilities;
}

const ENVELOPE = [META.protocolVersion, META.clientInfo, META.clientCapabilities, META.logLevel];

/**
 * A modern request for a legacy server: without the envelope (2026-07-28/basic, `_meta`), and without the members
 * of a retry (2026-07-28/basic/patterns/mrtr) and of tasks (2025-11-25/basic/utilities/tasks), which mean nothing in
 * a modern request, and something else to a legacy server.
 */
export function toLegacyRequest(text: string, method: string): string {
  const unknown = MULTI_ROUND_TRIP.has(method) ? UNKNOWN : [];
  return editObject(text, "params", (params) => deleteMeta(unknown.reduce(deleteMember, params), ENVELOPE));
}

/** A method that the specification does not know may have members of these names. */
const UNKNOWN = ["inputResponses", "requestState", "task"];

/** What a legacy client hears of a server that nobody has told a level. Source: 2025-11-25/server/utilities/logging. */
const EVERYTHING = '"debug"';

/** A legacy request for a modern server: with the envelope that every modern request has, and with log messages. */
export function toModernRequest(text: string, client: Introduction): string {
  const params = withEnvelope(paramsText(text), client);
  return setMember(text, "params", setMeta(params, META.logLevel, EVERYTHING));
}

/** A notification of a legacy client's own making, for a modern server. */
export function toModernNotification(text: string, client: Introduction): string {
  return setMember(text, "params", withEnvelope(paramsText(text), client));
}

function withEnvelope(params: string, { clientInfo, capabilities }: Introduction): string {
  const version = setMeta(params, META.protocolVersion, JSON.stringify(MODERN_VERSIONS[0]));
  const info = setMeta(version, META.clientInfo, JSON.stringify(clientInfo));
  return setMeta(info, META.clientCapabilities, JSON.stringify(capabilities));
}

/**
 * A modern request for a modern server: as received, but for capabilities that cannot be honoured here.
 * @param input whether the server may ask for input
 */
export function toModernServer(text: string, input: boolean): string {
  return editObject(text, "params", (params) =>
    editObject(params, "_meta", (meta) =>
      editObject(meta, META.clientCapabilities, (all) => restrictedCapabilitiesText(all, input)),
    ),
  );
}

/** A request of our own to a modern server. */
export function modernRequestText(id: string, method: string, params: string, client: Introduction): string {
  return requestText(id, method, withEnvelope(params, client));
}

/** A request of our own. */
export function requestText(id: string, method: string, params: string): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)},"params":${params}}`;
}

/**
 * A client's own initialize request, with the version and the capabilities that can be kept.
 * Source: 2025-11-25/basic/lifecycle, Initialization.
 */
export function toInitializeRequest(text: string, protocolVersion: string, input: boolean): string {
  return editObject(text, "params", (params) => {
    const capabilities = keptCapabilitiesText(memberText(params, "capabilities") ?? "{}", input);
    const version = setMember(params, "protocolVersion", JSON.stringify(protocolVersion));
    return setMember(version, "capabilities", capabilities);
  });
}

/** A retry, with what the server gave to the client with its question. Source: 2026-07-28/basic/patterns/mrtr. */
export function withRequestState(text: string, requestState: string | undefined): string {
  return editObject(text, "params", (params) =>
    requestState === undefined
      ? deleteMember(params, "requestState")
      : setMember(params, "requestState", JSON.stringify(requestState)),
  );
}

/** A retry of our own, in place of the client that was asked for the answers. */
export function withInputResponses(
  text: string,
  responses: string | undefined,
  requestState: string | undefined,
): string {
  const retry = withRequestState(text, requestState);
  return responses === undefined
    ? retry
    : editObject(retry, "params", (params) => setMember(params, "inputResponses", responses));
}

/** What tells one request from another: its method, and its parameters but for those of the transport and of retries. */
export function salientText({ text, value }: Message<RequestValue>): string {
  const params = paramsText(text);
  const salient = ["_meta", "inputResponses", "requestState"].reduce(deleteMember, params);
  return JSON.stringify(value.method) + compact(salient);
}
