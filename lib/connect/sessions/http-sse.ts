import { MayflyError, toMayflyError } from "../../errors.ts";
import { MAX_NESTED, TooManyValues, isResponse, messagesOf, onOneLine } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { onAbort } from "../../lifetime.ts";
import { LineTooLong } from "../../lines.ts";
import { deferred, once } from "../../promises.ts";
import { isEventStream, lost } from "../wire/answers.ts";
import { endpointFrom, notMcp } from "./endpoint.ts";
import { readEvents } from "../wire/events.ts";
import {
  HttpRefused,
  checkAccepted,
  checkInitialized,
  earlyTo,
  isAnswerTo,
  toInitializeRefused,
} from "./exchanges.ts";
import type { HttpAnswer } from "../wire/http.ts";
import { keyOf } from "../messages.ts";
import { InitializeRefused } from "../remote.ts";
import type { RemoteSession, RemoteTarget, SessionEvents } from "../remote.ts";
import { sendInOrder } from "./sending.ts";
import { postOtherTo, postRequestTo, postTo } from "./sse-posting.ts";
import { end } from "./session-state.ts";
import type { Session } from "./session-state.ts";

/** What the steps of a session share. */
interface HttpSse extends Session {
  readonly initialize: Message<RequestValue>;
  /** Of the stream, which is the session. */
  readonly stream: AbortController;
  readonly endpoint: ReturnType<typeof deferred<URL | Error>>;
  readonly answer: ReturnType<typeof deferred<Message<ResponseValue> | Error>>;
  /** Takes a message for the client. */
  hear: (message: Message) => Promise<void> | void;
  isOpen: boolean;
}

/** Milliseconds until the first event of the stream, which says where messages go. */
const ENDPOINT_MS = 10_000;

/**
 * Opens a session by HTTP+SSE. Source: 2024-11-05/basic/transports, HTTP with SSE.
 * @param signal ends the opening: nothing else does while the remote does not answer initialize
 * @throws InitializeRefused, also for what is no such stream; REMOTE_UNREACHABLE, REMOTE_LOST; the reason of the signal
 */
export async function openHttpSse(
  target: RemoteTarget,
  initialize: Message<RequestValue>,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<RemoteSession> {
  const all = newHttpSse(target, initialize, events);
  const off = onAbort(signal, () => end(all, signal.reason));
  try {
    const stream = await openStream(all);
    // Never rejects.
    void follow(stream, all);
    const endpoint = await endpointOf(stream, all);
    const answer = await handshake(endpoint, all);
    return sessionOf(answer, endpoint, all);
  } catch (error) {
    end(all);
    signal.throwIfAborted();
    throw error instanceof HttpRefused ? toInitializeRefused(error) : error;
  } finally {
    off();
  }
}

function newHttpSse(target: RemoteTarget, initialize: Message<RequestValue>, events: SessionEvents): HttpSse {
  const stream = new AbortController();
  return {
    ...{ target, initialize, events, stream, posts: new Map(), running: new Set([stream]) },
    ...{ endpoint: deferred(), answer: deferred(), hear: earlyTo(events) },
    ...{ sessionId: undefined, isForgotten: false, isOver: false, isOpen: false },
  };
}

/** @throws HttpRefused, InitializeRefused */
async function openStream({ target, stream }: HttpSse): Promise<HttpAnswer> {
  const { signal } = stream;
  const headers = { accept: "text/event-stream" };
  const answer = await target.http.request("GET", target.url, { headers, signal, what: "its event stream" });
  await checkAccepted(answer, { method: answer.what }, target, signal);
  if (isEventStream(answer)) return answer;
  answer.body.destroy();
  throw new InitializeRefused(answer.status, undefined, notMcp("something else than an event stream"));
}

/** Reads the stream to its end, with which the session ends. Never rejects. */
async function follow(stream: HttpAnswer, all: HttpSse): Promise<void> {
  const { signal } = all.stream;
  const error = await readAll(stream, all).then(
    () => (stream.body.errored ? lost(stream.body, "what was in flight") : streamEnded()),
    toFailure,
  );
  all.endpoint.resolve(error);
  all.answer.resolve(error);
  stream.body.destroy();
  if (signal.aborted || all.isOver) return;
  end(all);
  if (all.isOpen) all.events.lost(error);
}

function toFailure(error: unknown): MayflyError {
  if (error instanceof TooManyValues)
    return notMcp(`a message of more than ${MAX_NESTED} objects and arrays`);
  if (!(error instanceof LineTooLong)) return toMayflyError(error);
  return new MayflyError("REMOTE_MESSAGE_TOO_LARGE", { values: { limit: error.limitBytes }, cause: error });
}

function streamEnded(): MayflyError {
  const values = { detail: "its event stream ended", method: "what was in flight" };
  return new MayflyError("REMOTE_LOST", { values });
}

async function readAll({ body, url }: HttpAnswer, all: HttpSse): Promise<void> {
  const { target, stream, endpoint } = all;
  for await (const { type, data } of readEvents(body, target.maxMessageBytes, stream.signal)) {
    if (type === "endpoint") endpoint.resolve(attempted(() => endpointFrom(data, url)));
    if (type === "message" && data !== "") await takeAll(data, all);
  }
}

function attempted(find: () => URL): URL | Error {
  try {
    return find();
  } catch (error) {
    return toMayflyError(error);
  }
}

async function takeAll(data: string, all: HttpSse): Promise<void> {
  const content = messagesOf(onOneLine(data));
  const flaw = content ? content.flaws[0] : "it is not JSON";
  if (flaw !== undefined) all.target.logger.warn({ flaw }, "The remote sent an event that is no message");
  for (const message of content?.messages ?? []) {
    if (all.isOver) return;
    const isFirst = !all.isOpen && isResponse(message) && isAnswerTo(all.initialize, message);
    if (isFirst) all.answer.resolve(message);
    else await all.hear(message);
  }
}

/** @throws InitializeRefused, REMOTE_LOST */
async function endpointOf({ status }: HttpAnswer, all: HttpSse): Promise<URL> {
  const late = notMcp(`an event stream that names no endpoint within ${ENDPOINT_MS} milliseconds`);
  const timer = setTimeout(() => all.endpoint.resolve(late), ENDPOINT_MS);
  const found = await all.endpoint.promise;
  clearTimeout(timer);
  if (found instanceof URL) return found;
  const isRefused = found instanceof MayflyError && found.code === "REMOTE_NOT_MCP";
  throw isRefused ? new InitializeRefused(status, undefined, found) : found;
}

/** @throws HttpRefused, InitializeRefused, REMOTE_UNREACHABLE, REMOTE_LOST */
async function handshake(endpoint: URL, all: HttpSse): Promise<Message<ResponseValue>> {
  postTo(endpoint, all.initialize, all.stream.signal, all).catch((error: unknown) => {
    all.answer.resolve(error instanceof Error ? error : toMayflyError(error));
  });
  const answer = await all.answer.promise;
  if (answer instanceof Error) throw answer;
  checkInitialized(answer, 200, all.target);
  return answer;
}

function sessionOf(answer: Message<ResponseValue>, endpoint: URL, all: HttpSse): RemoteSession {
  all.sessionId = endpoint.href;
  all.isOpen = true;
  all.hear = (message) => all.events.message(message, undefined);
  const sender = {
    request: (message: Message<RequestValue>) => postRequestTo(endpoint, message, all),
    other: (message: Message) => postOtherTo(endpoint, message, all),
  };
  return {
    answer,
    send: (message) => sendInOrder(message, sender, all),
    isKept: () => true,
    // What is accepted has no connection of its own any more.
    abandon: (request) => all.posts.get(keyOf(request))?.controller.abort(),
    close: once(async () => end(all)),
  };
}
