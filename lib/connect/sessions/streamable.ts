import { MayflyError } from "../../errors.ts";
import { isObject, isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { onAbort } from "../../lifetime.ts";
import { once } from "../../promises.ts";
import {
  HttpRefused,
  checkInitialized,
  earlyTo,
  isAnswerTo,
  nameOf,
  newPost,
  toInitializeRefused,
} from "./exchanges.ts";
import type { HttpAnswer } from "../wire/http.ts";
import { keyOf } from "../messages.ts";
import { listen } from "./listening.ts";
import { messagesFor, postOther, postRequest } from "./posting.ts";
import { InitializeRefused } from "../remote.ts";
import type { RemoteSession, RemoteTarget, SessionEvents } from "../remote.ts";
import { sendInOrder, told } from "./sending.ts";
import { end, headersOf, newStreamable } from "./session-state.ts";
import type { Streamable } from "./session-state.ts";

/**
 * Opens a session by streamable HTTP: also with a server that keeps none, and has no stream but those of requests.
 * Source: 2025-11-25/basic/transports, Streamable HTTP; those of 2025-06-18 and 2025-03-26 are met by the same.
 * @param signal ends the opening
 * @throws InitializeRefused; REMOTE_UNREACHABLE, REMOTE_LOST; the reason of the signal
 */
export async function openStreamable(
  target: RemoteTarget,
  initialize: Message<RequestValue>,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<RemoteSession> {
  const all = newStreamable(target, events);
  const off = onAbort(signal, () => end(all, signal.reason));
  try {
    const answer = await handshake(initialize, all);
    return sessionOf(answer, all);
  } catch (error) {
    await close(all);
    signal.throwIfAborted();
    throw error instanceof HttpRefused ? toInitializeRefused(error) : error;
  } finally {
    off();
  }
}

async function handshake(
  initialize: Message<RequestValue>,
  all: Streamable,
): Promise<Message<ResponseValue>> {
  const post = newPost(new AbortController());
  all.running.add(post.controller);
  const early = earlyTo(all.events);
  let status = 0;
  const accepted = (answer: HttpAnswer): void => {
    status = answer.status;
    all.sessionId = sessionIdOf(answer);
  };
  try {
    for await (const message of messagesFor(initialize, post, all, accepted)) {
      if (isResponse(message) && isAnswerTo(initialize, message)) return agreed(message, status, all);
      if (!all.isOver) early(message, initialize);
    }
    throw new MayflyError("REMOTE_LOST", { values: { detail: "its answer ended", method: "initialize" } });
  } finally {
    all.running.delete(post.controller);
  }
}

/** @throws InitializeRefused for one that could not be sent back (2025-11-25/basic/transports, Session Management) */
function sessionIdOf({ headers, status }: HttpAnswer): string | undefined {
  const id = headers["mcp-session-id"];
  if (id === undefined || id === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(id)) return id;
  const values = { method: "initialize", detail: "a session id that holds more than visible ASCII" };
  throw new InitializeRefused(status, undefined, new MayflyError("REMOTE_NOT_MCP", { values }));
}

function agreed(answer: Message<ResponseValue>, status: number, all: Streamable): Message<ResponseValue> {
  checkInitialized(answer, status, all.target);
  const { result } = answer.value;
  const version = isObject(result) ? result["protocolVersion"] : undefined;
  if (typeof version === "string" && /^[\x21-\x7e]{1,64}$/.test(version)) all.version = version;
  return answer;
}

function sessionOf(answer: Message<ResponseValue>, all: Streamable): RemoteSession {
  const sender = {
    request: (message: Message<RequestValue>) => postRequest(message, all),
    other: (message: Message) => sendOther(message, all),
  };
  return {
    answer,
    send: (message) => sendInOrder(message, sender, all),
    isKept: () => all.hasStream,
    abandon(request) {
      const post = all.posts.get(keyOf(request));
      all.posts.delete(keyOf(request));
      post?.controller.abort();
    },
    close: once(() => close(all)),
  };
}

async function sendOther(message: Message, all: Streamable): Promise<void> {
  try {
    await told(postOther(message, all), message, all);
    if (nameOf(message) === INITIALIZED) startListening(all);
  } catch (error) {
    // Some servers take no notifications, and have a stream all the same.
    const isRefused = error instanceof MayflyError && error.code === "REMOTE_REFUSED";
    if (isRefused && nameOf(message) === INITIALIZED) startListening(all);
    throw error;
  }
}

const INITIALIZED = "notifications/initialized";

function startListening(all: Streamable): void {
  // Never rejects.
  if (!all.hasStream && !all.isOver) void listen(all);
}

/** Milliseconds that a session has to be given back. */
const GIVE_BACK_MS = 1000;

/** Never rejects. */
async function close(all: Streamable): Promise<void> {
  end(all);
  const { target, sessionId, isForgotten } = all;
  if (sessionId === undefined || isForgotten) return;
  all.isForgotten = true;
  const giving = new AbortController();
  const timer = setTimeout(() => giving.abort(), GIVE_BACK_MS);
  try {
    const sent = { headers: headersOf(all), signal: giving.signal, what: "the end of the session" };
    const { body } = await target.http.request("DELETE", target.url, sent);
    body.destroy();
  } catch (error) {
    // Not every server takes it back, and one that is not there any more has forgotten it.
    target.logger.debug({ error: String(error) }, "The session was not given back");
  } finally {
    clearTimeout(timer);
  }
}
