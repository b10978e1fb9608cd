import { toInitializeRequest } from "../eras/request-down.ts";
import { advertisedResult } from "../eras/result-up.ts";
import { anonymousHandshake, initializeText } from "../exchange/initialize.ts";
import { isObjectText, memberText, setMember } from "../rawjson.ts";
import { LEGACY_VERSIONS } from "../revisions.ts";
import type { Link } from "./link.ts";
import type { SessionState, Turn } from "./state.ts";

/** The handshake of a session: made once with each process, and answered to every client. */

/**
 * The initialize request for a process. The first client's own one, where there was one; for several clients in the
 * newest revision, of which each is answered what it can speak, and without tasks, which all clients would see.
 * Source: 2025-11-25/basic/lifecycle, Version Negotiation.
 */
export function firstInitialize(id: string, { handshake, shared }: SessionState): string {
  if (!handshake) return initializeText(id, anonymousHandshake(LEGACY_VERSIONS[0]));
  const text = setMember(handshake.text, "id", JSON.stringify(id));
  return shared ? toInitializeRequest(text, LEGACY_VERSIONS[0], true) : text;
}

/** The InitializeResult for one client: with the older of the revisions that it and the server speak. */
export function initializeResult({ seat }: Turn, { initialized }: Link, { shared }: SessionState): string {
  if (!isObjectText(initialized)) return initialized;
  const spoken: unknown = JSON.parse(memberText(initialized, "protocolVersion") ?? "null");
  const asked = seat.handshake.protocolVersion;
  const isOlder = typeof spoken === "string" && asked < spoken;
  const result = isOlder ? setMember(initialized, "protocolVersion", JSON.stringify(asked)) : initialized;
  return shared ? advertisedResult(result, { changes: true }) : result;
}
