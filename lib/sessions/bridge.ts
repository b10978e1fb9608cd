import { toMayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import { isResponse } from "../jsonrpc.ts";
import { ClientGone } from "../lifetime.ts";
import { runForSession } from "../run.ts";
import { introduction } from "./handshake.ts";
import type { SessionState, Turn } from "./state.ts";
import { endTurn, failTurn, isOpen } from "./turns.ts";

/**
 * Sessions in front of a server that has no handshake, and so keeps none: each request has a process of its own, and
 * what comes of it goes the way that everything goes in the session.
 */
export function createBridge(host: Host): Pick<SessionState, "bridge" | "answerBridge"> {
  return {
    bridge: (turn, all) => void forward(turn, all, host),
    answerBridge: ({ id }, message) => isResponse(message) && host.relays.deliver(id, message),
  };
}

/** Never rejects. */
async function forward(turn: Turn, all: SessionState, host: Host): Promise<void> {
  const { seat, request } = turn;
  const over = new AbortController();
  turn.cancel = () => over.abort();
  const handshake = introduction(seat);
  const work = { request, handshake, principal: seat.id, server: all.server, signal: over.signal };
  try {
    const { replies } = await runForSession(work, host);
    for await (const reply of replies) {
      if (reply.kind === "response") endTurn(turn, reply.text, reply.outcome, all);
      else if (isOpen(turn, all)) seat.client.deliver(reply.text, request);
    }
  } catch (error) {
    if (!(error instanceof ClientGone)) failTurn(turn, toMayflyError(error), all);
  }
  // Cancelled, and so without an answer.
  endTurn(turn, undefined, "client_gone", all);
}
