import type { Message, RequestValue } from "../../jsonrpc.ts";
import { discard } from "../wire/discarding.ts";
import { askedBy, checkAccepted, during, nameOf } from "./exchanges.ts";
import type { Post } from "./exchanges.ts";
import { told } from "./sending.ts";
import { failedBy, startPost } from "./session-state.ts";
import type { Session } from "./session-state.ts";

/** What the client sends over HTTP+SSE: a POST says no more than that it was taken, and the stream says the rest. */

/** Sends a request. What goes wrong with it is told by the events of the session. */
export function postRequestTo(endpoint: URL, request: Message<RequestValue>, all: Session): Post {
  // Never rejects.
  return startPost(request, all, async ({ controller, written }) => {
    const { signal } = controller;
    try {
      await postTo(endpoint, request, signal, all, written.resolve);
    } catch (error) {
      if (signal.aborted || all.isOver) return;
      const answer = failedBy(error, request, all);
      if (answer) await all.events.message(answer, undefined);
    }
  });
}

/** Sends what is no request. @throws MayflyError */
export function postOtherTo(endpoint: URL, message: Message, all: Session): Promise<void> {
  const sending = during(all.running, ({ signal }) => postTo(endpoint, message, signal, all));
  return told(sending, message, all);
}

/** @throws HttpRefused, REMOTE_UNREACHABLE, REMOTE_LOST */
export async function postTo(
  endpoint: URL,
  message: Message,
  signal: AbortSignal,
  { target }: Session,
  written?: () => void,
): Promise<void> {
  const headers = { "content-type": "application/json" };
  const sent = { headers, body: message.text, signal, what: nameOf(message), written };
  const answer = await target.http.request("POST", endpoint, sent);
  await checkAccepted(answer, askedBy(message), target, signal);
  discard(answer.body, signal);
}
