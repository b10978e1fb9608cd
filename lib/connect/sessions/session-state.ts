import { INVALID_PARAMS, METHOD_NOT_FOUND, MayflyError, toMayflyError } from "../../errors.ts";
import { isObject, isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { settlesWithin } from "../../promises.ts";
import { HttpRefused, abortAll, nameOf, newPost } from "./exchanges.ts";
import type { Post } from "./exchanges.ts";
import { keyOf } from "../messages.ts";
import type { RemoteTarget, SessionEvents } from "../remote.ts";

/** What the steps of a session share, whatever its transport. */
export interface Session {
  readonly target: RemoteTarget;
  readonly events: SessionEvents;
  /** Requests on their way, by their ids. */
  readonly posts: Map<string, Post>;
  /** HTTP requests that are under way. */
  readonly running: Set<AbortController>;
  /** What the remote knows it by; undefined for a remote that keeps none. */
  sessionId: string | undefined;
  /** Whether the remote does not know the session any more. */
  isForgotten: boolean;
  isOver: boolean;
}

/** What the steps of a session of streamable HTTP share. Its requests are on their way until they are answered. */
export interface Streamable extends Session {
  /** The revision that was agreed on. */
  version: string | undefined;
  /** Whether the remote has a stream of its own for us, or may have one. */
  hasStream: boolean;
  /** Ends the pause before the next attempt to get that stream. */
  hurry: () => void;
}

export function newStreamable(target: RemoteTarget, events: SessionEvents): Streamable {
  return {
    ...{ target, events, posts: new Map(), running: new Set() },
    ...{ sessionId: undefined, version: undefined },
    ...{ hasStream: false, hurry: () => undefined, isForgotten: false, isOver: false },
  };
}

/**
 * What each request says of its session. The version goes to servers of older revisions too, which have not heard of the
 * header: the SDKs send it to all of them. Source: 2025-11-25/basic/transports, Protocol Version Header.
 */
export function headersOf({ sessionId, version }: Streamable): Record<string, string> {
  return {
    ...(sessionId !== undefined && { "mcp-session-id": sessionId }),
    ...(version !== undefined && { "mcp-protocol-version": version }),
  };
}

/** Hands on a message of the remote, on whatever stream it came. */
export function take(
  message: Message,
  about: Message<RequestValue> | undefined,
  all: Streamable,
): Promise<void> | void {
  if (all.isOver) return undefined;
  if (isResponse(message)) noteAnswer(keyOf(message), about, all);
  return all.events.message(message, about);
}

function noteAnswer(key: string, about: Message<RequestValue> | undefined, { posts }: Streamable): void {
  const post = posts.get(key);
  if (!post) return;
  post.isAnswered = true;
  posts.delete(key);
  // It came on another stream, and nothing more comes on its own.
  if (!about || keyOf(about) !== key) post.controller.abort();
}

/**
 * Whether a refusal says that the session is not known any more: 404 (2025-11-25/basic/transports, Session Management),
 * or 400 in the words of many servers ("No valid session ID provided", "Server not initialized"). An error about the
 * method or the params is about the request.
 */
export function saysForgotten({ refusal }: HttpRefused, { sessionId }: Session): boolean {
  if (sessionId === undefined) return false;
  const { code, text } = saidIn(refusal);
  if (ABOUT_REQUEST.has(code)) return false;
  return refusal.status === 404 || (refusal.status === 400 && isAboutSession(text));
}

/** Source: 2025-11-25/server/resources, Error Handling. */
const RESOURCE_NOT_FOUND = -32002;
const ABOUT_REQUEST: ReadonlySet<unknown> = new Set([METHOD_NOT_FOUND, INVALID_PARAMS, RESOURCE_NOT_FOUND]);

/** A tool may have sessions of its own. */
function isAboutSession(text: string): boolean {
  const isMissing =
    /not found|no valid|no active|invalid|unknown|expired|missing|required|terminated|closed|exist/i;
  return /not initialized/i.test(text) || (/session/i.test(text) && isMissing.test(text));
}

function saidIn({ message, failure }: HttpRefused["refusal"]): { code: unknown; text: string } {
  const error = message?.value.error;
  if (isObject(error)) return { code: error["code"], text: String(error["message"]) };
  // Before that stands the method.
  return { code: undefined, text: failure.message.replace(/^.*?HTTP \d+/, "") };
}

export function sessionLost(method: string): MayflyError {
  return new MayflyError("REMOTE_SESSION_LOST", { values: { method } });
}

/** Milliseconds that other requests have to be refused too: then it is known that they were not carried out. */
const SETTLE_MS = 250;

/** The remote has forgotten the session. Nothing is sent to it any more. */
export async function forget(all: Session): Promise<void> {
  if (all.isForgotten || all.isOver) return;
  all.isForgotten = true;
  await settlesWithin(Promise.all([...all.posts.values()].map(({ taken }) => taken.promise)), SETTLE_MS);
  if (all.isOver) return;
  end(all);
  all.events.lost(sessionLost("what was in flight"));
}

/** Nothing is told any more. */
export function end(all: Session, reason?: unknown): void {
  all.isOver = true;
  abortAll(all.running, reason);
}

/** Keeps a request among those that are on their way, for as long as `carry` takes, which never rejects. */
export function startPost(
  request: Message<RequestValue>,
  all: Session,
  carry: (post: Post) => Promise<void>,
): Post {
  const key = keyOf(request);
  const post = newPost(new AbortController());
  all.posts.set(key, post);
  all.running.add(post.controller);
  void carry(post).finally(() => {
    post.written.resolve();
    post.taken.resolve();
    all.running.delete(post.controller);
    if (all.posts.get(key) === post) all.posts.delete(key);
  });
  return post;
}

/**
 * Tells that a request has failed.
 * @returns the answer, if the failure holds one
 */
export function failedBy(
  error: unknown,
  request: Message<RequestValue>,
  all: Session,
): Message<ResponseValue> | undefined {
  const { events } = all;
  if (!(error instanceof HttpRefused)) {
    events.failed(request, toMayflyError(error));
    return undefined;
  }
  const { message, failure } = error.refusal;
  if (saysForgotten(error, all)) {
    events.failed(request, sessionLost(nameOf(request)));
    // Never rejects; it is told as an event.
    void forget(all);
    return undefined;
  }
  if (!message) events.failed(request, failure);
  return message;
}
