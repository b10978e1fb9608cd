import { MayflyError } from "../errors.ts";
import { advertisedResult } from "../eras/result-up.ts";
import { anonymousHandshake, handshakeOf, initializeText } from "../exchange/initialize.ts";
import type { Handshake } from "../exchange/initialize.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { isObjectText, memberText, setMember } from "../rawjson.ts";
import { LEGACY_VERSIONS } from "../revisions.ts";
import type { Link } from "./link.ts";
import type { Member, SessionState, PendingRequest } from "./state.ts";

/** The handshake of a session: made once with each process, and answered to every client. */

/**
 * The initialize request for a process. The first client's own one, where there was one. For several clients it is
 * in the newest revision, of which each is answered what it can speak, and written anew, without what no server could
 * read and without tasks, which all clients would see.
 * Source: 2025-11-25/basic/lifecycle, Version Negotiation.
 */
export function firstInitialize(id: string, { handshake, shared }: SessionState): string {
  const [newest] = LEGACY_VERSIONS;
  if (!handshake) return initializeText(id, anonymousHandshake(newest));
  if (shared) return initializeText(id, { ...handshakeOf(handshake), protocolVersion: newest });
  return setMember(handshake.text, "id", JSON.stringify(id));
}

/**
 * Keeps what a client says of itself, and for the processes to come if it is the first. A process that knows of no
 * client gives way to one that knows what this one can do.
 */
export function keepHandshake(request: Message<RequestValue>, member: Member, all: SessionState): void {
  const said = handshakeOf(request);
  member.handshake = JSON.stringify(said);
  if (all.handshake) return;
  all.handshake = request;
  all.isHandshakeProven = false;
  if (Object.keys(said.capabilities).length > 0) all.links.retire();
}

/** What a client has said of itself. */
export function introduction({ handshake }: Member): Handshake {
  return JSON.parse(handshake) as Handshake;
}

/**
 * The process for a request. What one client says of itself must not keep the others out: where the server refuses it,
 * the next one's own handshake is tried.
 * @throws what keeps the process from being started
 */
export async function linkFor({ request }: PendingRequest, all: SessionState): Promise<Link | undefined> {
  for (;;) {
    const tried = all.handshake;
    try {
      return await all.links.current();
    } catch (error) {
      const isRefused = error instanceof MayflyError && error.code === "INITIALIZE_REFUSED";
      if (all.handshake === tried && (isRefused || !all.isHandshakeProven)) all.handshake = undefined;
      if (!isRefused || tried === undefined || tried === request) throw error;
      if (request.value.method === "initialize") all.handshake ??= request;
    }
  }
}

/**
 * The InitializeResult for one client: as it is for the client whose handshake it answers, and for others with the
 * older of the revisions that they and the server speak.
 */
export function initializeResult(
  { member, request }: PendingRequest,
  { initialized }: Link,
  { shared, handshake }: SessionState,
): string {
  if (!isObjectText(initialized) || (!shared && handshake === request)) return initialized;
  const spoken: unknown = JSON.parse(memberText(initialized, "protocolVersion") ?? "null");
  const asked = introduction(member).protocolVersion;
  const isOlder = typeof spoken === "string" && asked < spoken;
  const result = isOlder ? setMember(initialized, "protocolVersion", JSON.stringify(asked)) : initialized;
  return shared ? advertisedResult(result, { changes: true }) : result;
}
