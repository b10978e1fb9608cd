import type { Implementation } from "@modelcontextprotocol/sdk/types.js";

import { isObject } from "./jsonrpc.ts";
import type { Message, RequestValue } from "./jsonrpc.ts";
import { deleteMember, editMember, memberText, setMember } from "./rawjson.ts";
import { LEGACY_VERSIONS, isLegacyVersion } from "./revisions.ts";
import { MAYFLY } from "./version.ts";

/** What is said to a server before the request: on behalf of the client, as far as it is known. */
export interface Handshake {
  readonly protocolVersion: string;
  readonly clientInfo: Implementation;
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** The extension that needs a server which remembers. Source: 2025-11-25/basic/utilities/tasks. */
const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

/** For a client that sent no session token. */
export function anonymousHandshake(protocolVersion: string): Handshake {
  return { protocolVersion, clientInfo: MAYFLY, capabilities: {} };
}

/** What a client's own initialize request says. Whatever the server would not be able to read is replaced by ours. */
export function handshakeOf({ value: { params = {} } }: Message<RequestValue>): Handshake {
  const { protocolVersion, clientInfo, capabilities } = params;
  return {
    protocolVersion: isLegacyVersion(protocolVersion) ? protocolVersion : LEGACY_VERSIONS[0],
    clientInfo: isImplementation(clientInfo) ? clientInfo : MAYFLY,
    capabilities: crossingCapabilities(capabilities),
  };
}

/**
 * Of a client's capabilities those that need no way back to it: a process that lives for one request cannot ask.
 */
export function crossingCapabilities(capabilities: unknown): Record<string, unknown> {
  const { experimental, extensions } = isObject(capabilities) ? capabilities : {};
  return {
    ...(isObject(experimental) && { experimental }),
    ...(isObject(extensions) && { extensions: withoutTasks(extensions) }),
  };
}

function withoutTasks({
  [TASKS_EXTENSION]: _tasks,
  ...others
}: Record<string, unknown>): Record<string, unknown> {
  return others;
}

/** The initialize request that opens a replayed handshake. */
export function initializeText(id: string, handshake: Handshake): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method: "initialize", params: handshake });
}

export const INITIALIZED_TEXT = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });

/** A client's own initialize request, with the version and the capabilities that can be kept. */
export function initializeRequestText(text: string, { protocolVersion }: Handshake): string {
  return editMember(text, "params", (params) =>
    setMember(
      setMember(params, "protocolVersion", JSON.stringify(protocolVersion)),
      "capabilities",
      crossingCapabilitiesText(memberText(params, "capabilities") ?? "{}"),
    ),
  );
}

/** The same choice as {@link crossingCapabilities}, in the client's own text. */
function crossingCapabilitiesText(capabilities: string): string {
  if (!isObject(JSON.parse(capabilities))) return "{}";
  const crossing = ["experimental", "extensions"].flatMap((key) => {
    const text = memberText(capabilities, key);
    return text !== undefined && isObject(JSON.parse(text)) ? [`"${key}":${text}`] : [];
  });
  return editMember(`{${crossing.join(",")}}`, "extensions", (text) => deleteMember(text, TASKS_EXTENSION));
}

/** A server's answer to initialize, without the capabilities that outlive one request. All else stays as it is. */
export function initializeResponseText(text: string): string {
  return editMember(text, "result", (result) =>
    isObject(JSON.parse(result)) ? editMember(result, "capabilities", statelessCapabilities) : result,
  );
}

function statelessCapabilities(capabilities: string): string {
  if (!isObject(JSON.parse(capabilities))) return capabilities;
  const lists = ["tools", "prompts", "resources"].reduce(
    (text, key) =>
      editObject(text, key, (list) => deleteMember(deleteMember(list, "listChanged"), "subscribe")),
    deleteMember(capabilities, "tasks"),
  );
  return editObject(lists, "extensions", (extensions) => deleteMember(extensions, TASKS_EXTENSION));
}

function editObject(text: string, key: string, edit: (value: string) => string): string {
  return isObject(JSON.parse(memberText(text, key) ?? "null")) ? editMember(text, key, edit) : text;
}

function isImplementation(value: unknown): value is Implementation {
  return isObject(value) && typeof value["name"] === "string" && typeof value["version"] === "string";
}
