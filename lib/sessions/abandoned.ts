import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { cancelledText } from "../exchange/endings.ts";
import { MAX_TIMER_MS } from "../promises.ts";
import type { Link } from "./link.ts";
import type { Member, SessionState, PendingRequest } from "./state.ts";

/**
 * Requests that a server may still work on although their clients wait no longer: what it says meanwhile may be about
 * them, and must not reach whoever else waits for something.
 */
export interface Abandoned {
  readonly member: Member;
  readonly link: Link;
  readonly timer: NodeJS.Timeout;
}

/**
 * Tells the server that nobody waits any more, and keeps that in mind for as long as the request might have taken: most
 * servers never answer what was cancelled. Source: 2025-11-25/basic/utilities/cancellation.
 */
export function abandonRequest(
  { id, member, link }: PendingRequest,
  reason: string,
  all: SessionState,
): void {
  if (!link) return;
  link.send(cancelledText(String(id), reason));
  const forMs = Math.min(all.server.requestTimeoutMs, MAX_TIMER_MS);
  const timer = setTimeout(() => all.abandoned.delete(id), forMs);
  timer.unref();
  all.abandoned.set(id, { member, link, timer });
}

/** The server has come to its end all the same. */
export function forgetAbandoned(id: RequestId, link: Link, { abandoned }: SessionState): void {
  const entry = abandoned.get(id);
  if (entry?.link !== link) return;
  clearTimeout(entry.timer);
  abandoned.delete(id);
}

/** The same for all of a process that is gone. */
export function forgetAllAbandoned(link: Link | undefined, all: SessionState): void {
  for (const [id, entry] of all.abandoned) {
    if (link === undefined || entry.link === link) forgetAbandoned(id, entry.link, all);
  }
}
