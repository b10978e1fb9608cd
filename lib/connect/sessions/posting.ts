import { toMayflyError } from "../../errors.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { lost, messagesIn } from "../wire/answers.ts";
import { askedBy, checkAccepted, during, nameOf } from "./exchanges.ts";
import type { Post } from "./exchanges.ts";
import type { HttpAnswer } from "../wire/http.ts";
import { POST_HEADERS } from "../wire/modern-headers.ts";
import { getStream, newResumePoint, readFrom, waitFor } from "./resuming.ts";
import type { ResumePoint } from "./resuming.ts";
import { failedBy, headersOf, startPost, take } from "./session-state.ts";
import type { Streamable } from "./session-state.ts";

/** What the client sends over streamable HTTP, each message by a POST. */

/** Sends a request. What becomes of it is told by the events of the session. */
export function postRequest(request: Message<RequestValue>, all: Streamable): Post {
  // Never rejects.
  return startPost(request, all, (post) => carry(request, post, all));
}

async function carry(request: Message<RequestValue>, post: Post, all: Streamable): Promise<void> {
  try {
    for await (const message of messagesFor(request, post, all)) {
      await take(message, request, all);
      if (post.isAnswered) return;
    }
  } catch (error) {
    if (post.isAnswered || post.controller.signal.aborted || all.isOver) return;
    const answer = failedBy(error, request, all);
    if (answer) await take(answer, request, all);
  }
}

/**
 * What comes of a request, until its answer: also what comes on other connections, where the server closes one before.
 * @param accepted called with the head of a successful answer
 * @throws HttpRefused, REMOTE_UNREACHABLE, REMOTE_LOST, and what `messagesIn` throws
 */
export async function* messagesFor(
  request: Message<RequestValue>,
  post: Post,
  all: Streamable,
  accepted: (answer: HttpAnswer) => void = () => undefined,
): AsyncGenerator<Message, void, void> {
  const { signal } = post.controller;
  const answer = await send(request, signal, all, post.written.resolve);
  accepted(answer);
  post.taken.resolve();
  const point = newResumePoint();
  let stream: HttpAnswer | undefined = answer;
  while (!post.isAnswered && !signal.aborted) {
    if (stream) yield* readFrom(stream, point, signal, all);
    if (post.isAnswered || signal.aborted) return;
    if (point.id === undefined) throw lost(answer.body, nameOf(request));
    stream = await goOn(point, signal, all);
    if (!stream && point.failures > MAX_FAILURES) point.id = undefined;
  }
}

/** Attempts to go on with a stream, in a row: half a minute. One that can be gone on with is, however often. */
const MAX_FAILURES = 8;

/** @returns undefined if that cannot be now; then, and if it never can be, the point has no id */
async function goOn(
  point: ResumePoint,
  signal: AbortSignal,
  all: Streamable,
): Promise<HttpAnswer | undefined> {
  point.failures += 1;
  await waitFor(point, signal);
  if (signal.aborted) return undefined;
  const got = await getStream(point, true, signal, all);
  if (got === "never") point.id = undefined;
  if (typeof got === "string") return undefined;
  return got;
}

/** Sends what is no request. @throws HttpRefused, REMOTE_UNREACHABLE, REMOTE_LOST */
export async function postOther(message: Message, all: Streamable): Promise<void> {
  const answer = await during(all.running, ({ signal }) => send(message, signal, all));
  // Most have no content. It comes in its own time, and is for nobody in particular.
  void during(all.running, async ({ signal }) => {
    try {
      for await (const { message } of messagesIn(answer, all.target, signal)) {
        if (message) await take(message, undefined, all);
      }
    } catch (error) {
      all.target.logger.debug(
        { error: toMayflyError(error).message },
        "The answer to a notification is no MCP",
      );
    }
  });
}

async function send(
  message: Message,
  signal: AbortSignal,
  all: Streamable,
  written?: () => void,
): Promise<HttpAnswer> {
  const { target } = all;
  const headers = { ...POST_HEADERS, ...headersOf(all) };
  const sent = { headers, body: message.text, signal, what: nameOf(message), written };
  const answer = await target.http.request("POST", target.url, sent);
  await checkAccepted(answer, askedBy(message), target, signal);
  all.hurry();
  return answer;
}
