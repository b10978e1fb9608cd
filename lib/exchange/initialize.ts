import { keptCapabilities } from "../eras/capabilities.ts";
import { isImplementation } from "../eras/envelope.ts";
import type { Envelope } from "../eras/envelope.ts";
import { requestText } from "../eras/request-down.ts";
import type { Introduction } from "../eras/request-down.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { isDeeperThan } from "../rawjson.ts";
import { LEGACY_VERSIONS, isLegacyVersion } from "../revisions.ts";
import { MAYFLY } from "../version.ts";

/** What is said to a server before the request: on behalf of the client, as far as it is known. */
export interface Handshake extends Introduction {
  readonly protocolVersion: string;
}

/** For a client that sent no session token. */
export function anonymousHandshake(protocolVersion: string): Handshake {
  return { protocolVersion, clientInfo: MAYFLY, capabilities: {} };
}

/** Levels of what a client says of itself: it is written again for every later process. */
const MAX_DEPTH = 200;
const NOBODY = { clientInfo: undefined, capabilities: undefined };

/** What a client's own initialize request says. Whatever the server would not be able to read is replaced by ours. */
export function handshakeOf({ text, value: { params = {} } }: Message<RequestValue>): Handshake {
  const isTooDeep = isDeeperThan(text, MAX_DEPTH);
  const { protocolVersion, clientInfo, capabilities } = isTooDeep ? { ...params, ...NOBODY } : params;
  return {
    protocolVersion: isLegacyVersion(protocolVersion) ? protocolVersion : LEGACY_VERSIONS[0],
    clientInfo: isImplementation(clientInfo) ? clientInfo : MAYFLY,
    capabilities: keptCapabilities(capabilities, true),
  };
}

/** The handshake of a client that makes none: its envelope says the same with every request. */
export function handshakeOfEnvelope({ clientInfo = MAYFLY, capabilities }: Envelope): Handshake {
  return {
    protocolVersion: LEGACY_VERSIONS[0],
    clientInfo,
    capabilities: keptCapabilities(capabilities, true),
  };
}

/** The initialize request that opens a replayed handshake. */
export function initializeText(id: string, handshake: Handshake): string {
  return requestText(id, "initialize", JSON.stringify(handshake));
}

export const INITIALIZED_TEXT = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });
