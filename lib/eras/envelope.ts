import type { Implementation } from "@modelcontextprotocol/sdk/types.js";

import { isObject } from "../jsonrpc.ts";
import type { MessageValue } from "../jsonrpc.ts";
import { LOG_LEVELS, META } from "./names.ts";

/** What every modern request says about itself in `_meta`. Source: 2026-07-28/basic, Per-request protocol fields. */
export interface Envelope {
  readonly protocolVersion: string;
  readonly clientInfo: Implementation | undefined;
  /** As the client sent them. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly logLevel: string | undefined;
}

export const REQUIRED = [META.protocolVersion, META.clientCapabilities];

/** Whether a message says in `_meta` which revision it is of. */
export function hasVersion(value: MessageValue): boolean {
  return versionIn(value) !== undefined;
}

/** The revision that a message says it is of. */
export function versionIn(value: MessageValue): unknown {
  return metaOf(value)[META.protocolVersion];
}

/** The envelope, or what is wrong with it. */
export function envelopeOf(value: MessageValue): Envelope | string {
  const {
    [META.protocolVersion]: protocolVersion,
    [META.clientInfo]: clientInfo,
    [META.clientCapabilities]: capabilities,
    [META.logLevel]: logLevel,
  } = metaOf(value);
  if (typeof protocolVersion !== "string") return `${META.protocolVersion} is not a string`;
  if (!isObject(capabilities)) return `${META.clientCapabilities} is not an object`;
  if (clientInfo !== undefined && !isImplementation(clientInfo)) {
    return `${META.clientInfo} has no name or no version`;
  }
  if (logLevel !== undefined && !LOG_LEVELS.some((level) => level === logLevel)) {
    return `${META.logLevel} is not a log level`;
  }
  return { protocolVersion, clientInfo, capabilities, logLevel: logLevel as string | undefined };
}

export function isImplementation(value: unknown): value is Implementation {
  return isObject(value) && typeof value["name"] === "string" && typeof value["version"] === "string";
}

function metaOf(value: MessageValue): Record<string, unknown> {
  const meta = "params" in value ? value.params?.["_meta"] : undefined;
  return isObject(meta) ? meta : {};
}
