import { toMayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import { isResponse } from "../jsonrpc.ts";
import { ClientGone } from "../lifetime.ts";
import { runForSession } from "../run.ts";
import { introduction } from "./handshake.ts";
import type { SessionState, PendingRequest } from "./state.ts";
import { endRequest, failRequest, isOpen } from "./pending-requests.ts";

/**
 * Sessions in front of a server that has no handshake, and so keeps none: each request has a process of its own, and
 * what comes of it goes the way that everything goes in the session.
 */
export function createBridge(
  principal: string | undefined,
  all: Host,
): Pick<SessionState, "bridge" | "answerBridge"> {
  // Its questions are asked of one client, and their places are those of the caller.
  const host = { ...all, places: { take: () => all.places.take({ principal }) } };
  return {
    bridge: (pending, all) => void forward(pending, all, host),
    answerBridge: ({ id }, message) => isResponse(message) && host.relays.deliver(id, message),
  };
}

/** Never rejects. */
async function forward(pending: PendingRequest, all: SessionState, host: Host): Promise<void> {
  const { member, request } = pending;
  const over = new AbortController();
  pending.cancel = () => over.abort();
  const handshake = introduction(member);
  const work = {
    request,
    handshake,
    principal: member.id,
    caller: member.principal,
    server: all.server,
    signal: over.signal,
  };
  try {
    const { replies } = await runForSession(work, host);
    for await (const reply of replies) {
      if (reply.kind === "response") endRequest(pending, reply.text, reply.outcome, all);
      else if (isOpen(pending, all)) member.client.deliver(reply.text, request);
    }
  } catch (error) {
    if (!(error instanceof ClientGone)) failRequest(pending, toMayflyError(error), all);
  }
  // Cancelled, and so without an answer.
  endRequest(pending, undefined, "client_gone", all);
}
