import { isRequest } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { settlesWithin } from "../../promises.ts";
import { HttpRefused, nameOf } from "./exchanges.ts";
import type { Post } from "./exchanges.ts";
import { cancelledBy } from "../messages.ts";
import { forget, saysForgotten, sessionLost } from "./session-state.ts";
import type { Session } from "./session-state.ts";

/** How a session sends one message. */
export interface Sender {
  /** Tells by the events of the session what becomes of it. */
  request(message: Message<RequestValue>): Post;
  /** @throws MayflyError if it is not accepted */
  other(message: Message): Promise<void>;
}

/** Milliseconds that what comes next waits for a message that is not accepted, or for one that is not written. */
const ACCEPT_MS = 10_000;
const WRITE_MS = 1000;

/** Sends messages so that what is sent next comes after them, and no tool that takes long holds anything up. */
export async function sendInOrder(message: Message, sender: Sender, all: Session): Promise<void> {
  if (isRequest(message)) return sendRequest(message, sender, all);
  if (all.isForgotten) throw sessionLost(nameOf(message));
  await letRequestAhead(message, all);
  const sending = sender.other(message);
  if (await settlesWithin(sending, ACCEPT_MS)) return sending;
  // Nobody else waits for it any more.
  sending.catch((error: unknown) => {
    all.target.logger.debug({ error: String(error) }, "The remote server did not take a message");
  });
}

async function sendRequest(message: Message<RequestValue>, sender: Sender, all: Session): Promise<void> {
  if (all.isForgotten) return all.events.failed(message, sessionLost(nameOf(message)));
  await settlesWithin(sender.request(message).written.promise, WRITE_MS);
}

/** Milliseconds that a request has after it was written, before its cancellation follows on another connection. */
const AHEAD_MS = 50;

/** A server that hears of the end of a request before its beginning would carry it out. */
async function letRequestAhead(message: Message, { posts }: Session): Promise<void> {
  const post = posts.get(cancelledBy(message) ?? "");
  if (!post) return;
  await settlesWithin(post.written.promise, ACCEPT_MS);
  await settlesWithin(post.taken.promise, AHEAD_MS);
}

/** The outcome of sending what is no request. @throws MayflyError */
export async function told(sending: Promise<void>, message: Message, all: Session): Promise<void> {
  try {
    await sending;
  } catch (error) {
    if (!(error instanceof HttpRefused)) throw error;
    if (!saysForgotten(error, all)) throw error.refusal.failure;
    // Never rejects; it is told as an event.
    void forget(all);
    throw sessionLost(nameOf(message));
  }
}
