import { isModernDiscovery } from "../../eras/discovery.ts";
import { errorCode } from "../../eras/error-up.ts";
import { modernRequestText } from "../../eras/request-down.ts";
import type { Introduction } from "../../eras/request-down.ts";
import { ownId } from "../../exchange/conversation.ts";
import { createToolMemory } from "../../exchange/tool-memory.ts";
import type { ToolMemory } from "../../exchange/tool-memory.ts";
import { HEADER_MISMATCH, MayflyError, toMayflyError } from "../../errors.ts";
import { idOf, isNotification, isResponse, messageOf } from "../../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { printable } from "../../logger.ts";
import { memberText } from "../../rawjson.ts";
import { isSuccess, lost, messagesIn } from "./answers.ts";
import { readRefusal } from "./refusals.ts";
import type { Refusal } from "./refusals.ts";
import type { HttpAnswer } from "./http.ts";
import { discard } from "./discarding.ts";
import { modernHeaders } from "./modern-headers.ts";
import { linked } from "./linked.ts";
import type { ModernRemote, RemoteTarget } from "../remote.ts";
import { learnTools, withoutFlawedTools } from "./remote-tools.ts";

/** What a server has answered to `server/discover`. */
export type Discovery =
  | { readonly modern: string; readonly refused?: undefined }
  | { readonly modern?: undefined; readonly refused: Refusal };

/**
 * Asks a server whether it is modern. Any answer that does not name a modern revision spoken here is a refusal; its
 * message is the JSON-RPC error, if there was one.
 * @param signal also the limit of time: servers of the older revisions may not answer at all
 * @throws REMOTE_UNREACHABLE, REMOTE_LOST, REMOTE_REFUSED for a redirect, the reason of the signal
 */
export async function discover(
  target: RemoteTarget,
  introduction: Introduction,
  signal: AbortSignal,
): Promise<Discovery> {
  const request = messageOf<RequestValue>(modernRequestText(ownId(), "server/discover", "{}", introduction));
  const answer = await post(target, request, NO_TOOLS, signal);
  if (!isSuccess(answer)) return { refused: await readRefusal(answer, askedBy(request), target, signal) };
  const { status } = answer;
  try {
    const message = await answerIn(answer, request, target, signal);
    if (message && isModernDiscovery(message.value.result))
      return { modern: memberText(message.text, "result") ?? "{}" };
    const failure = notMcp(request, message ? "something else than the versions it speaks" : "nothing");
    return {
      refused: { status, message: message?.value.error === undefined ? undefined : message, failure },
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof MayflyError) || error.code === "REMOTE_LOST") throw error;
    return { refused: { status, message: undefined, failure: error } };
  }
}

const NO_TOOLS = { find: () => undefined };

/** @throws REMOTE_LOST */
async function answerIn(
  answer: HttpAnswer,
  request: Message<RequestValue>,
  target: RemoteTarget,
  signal: AbortSignal,
): Promise<Message<ResponseValue> | undefined> {
  for await (const { message } of messagesIn(answer, target, signal)) {
    if (message && isResponse(message) && message.value.id === request.value.id) return message;
  }
  signal.throwIfAborted();
  if (answer.body.errored) throw lost(answer.body, answer.what);
  return undefined;
}

function notMcp({ value }: Message<RequestValue>, detail: string): MayflyError {
  return new MayflyError("REMOTE_NOT_MCP", { values: { method: printable(value.method), detail } });
}

/**
 * A server of the stateless revisions: each request is a POST of its own, and closing its stream cancels it.
 * Source: 2026-07-28/basic/transports/streamable-http.
 * @param discovered the raw DiscoverResult
 */
export function createModernRemote(target: RemoteTarget, discovered: string): ModernRemote {
  const remote = { target, tools: createToolMemory() };
  const closing = new AbortController();
  return {
    era: "modern",
    discovered,
    async *request(request, signal) {
      const link = linked(signal, closing.signal);
      try {
        yield* answersTo(remote, request, link.signal);
      } catch (error) {
        if (!link.signal.aborted) throw error;
      } finally {
        link.end();
      }
    },
    notify: (message) => notify(remote, message, closing.signal),
    async close() {
      closing.abort();
    },
  };
}

interface OpenRemote {
  readonly target: RemoteTarget;
  readonly tools: ToolMemory;
}

async function* answersTo(
  remote: OpenRemote,
  request: Message<RequestValue>,
  signal: AbortSignal,
): AsyncGenerator<Message, void, void> {
  const { target, tools } = remote;
  const headers = modernHeaders(request, tools);
  const answer = await post(target, request, tools, signal);
  if (isSuccess(answer)) {
    yield* streamed(remote, answer, request, signal);
    return;
  }
  const refusal = await readRefusal(answer, askedBy(request), target, signal);
  if (await learnHeaders(remote, request, refusal, headers, signal)) {
    yield* answersOfRetry(remote, request, signal);
  } else yield toldBy(refusal);
}

/** The one retry of a request whose headers were refused, so that it was not carried out. */
async function* answersOfRetry(
  remote: OpenRemote,
  request: Message<RequestValue>,
  signal: AbortSignal,
): AsyncGenerator<Message, void, void> {
  const answer = await post(remote.target, request, remote.tools, signal);
  if (isSuccess(answer)) yield* streamed(remote, answer, request, signal);
  else yield toldBy(await readRefusal(answer, askedBy(request), remote.target, signal));
}

/** The answer in the body of a refusal. A key that is missing or wrong, our user can do something about: in our words. @throws MayflyError */
function toldBy({ status, message, failure }: Refusal): Message {
  if (!message || status === 401) throw failure;
  return message;
}

/** What comes for a request until its answer. @throws REMOTE_LOST, and what `messagesIn` throws */
async function* streamed(
  { target, tools }: OpenRemote,
  answer: HttpAnswer,
  request: Message<RequestValue>,
  signal: AbortSignal,
): AsyncGenerator<Message, void, void> {
  const { logger } = target;
  for await (const { message } of messagesIn(answer, target, signal)) {
    if (!message) continue;
    if (isNotification(message)) yield message;
    else if (isResponse(message) && message.value.id === request.value.id) {
      yield request.value.method === "tools/list" ? listed(message, tools, target) : message;
      return;
    } else
      logger.warn({ method: request.value.method }, "The remote sent a message that belongs to no request");
  }
  if (!signal.aborted) throw lost(answer.body, printable(request.value.method));
}

function listed(message: Message<ResponseValue>, tools: ToolMemory, { logger }: RemoteTarget): Message {
  const kept = withoutFlawedTools(message, logger);
  tools.learn(kept.value.result);
  return kept;
}

/**
 * Whether a request was refused for headers that the tools of the server, listed once more, explain.
 * Source: 2026-07-28/basic/transports/streamable-http, Client Behavior.
 */
async function learnHeaders(
  remote: OpenRemote,
  request: Message<RequestValue>,
  { message }: Refusal,
  sent: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  if (request.value.method !== "tools/call" || errorCode(message?.value.error) !== HEADER_MISMATCH)
    return false;
  await learnTools(request, (listing) => answersTo(remote, listing, signal), remote.target.logger);
  return JSON.stringify(modernHeaders(request, remote.tools)) !== JSON.stringify(sent);
}

function askedBy(request: Message<RequestValue>): { method: string; id: string } {
  return { method: printable(request.value.method), id: idOf(request) };
}

function post(
  { http, url }: RemoteTarget,
  message: Message<RequestValue | NotificationValue>,
  tools: Pick<ToolMemory, "find">,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const what = printable(message.value.method);
  return http.request("POST", url, {
    headers: modernHeaders(message, tools),
    body: message.text,
    signal,
    what,
  });
}

async function notify(
  { target, tools }: OpenRemote,
  message: Message<NotificationValue>,
  signal: AbortSignal,
): Promise<void> {
  const method = printable(message.value.method);
  try {
    const answer = await post(target, message, tools, signal);
    if (!isSuccess(answer)) throw (await readRefusal(answer, { method }, target, signal)).failure;
    discard(answer.body, signal);
  } catch (error) {
    if (signal.aborted) return;
    target.logger.warn(
      { method, reason: toMayflyError(error).message },
      "The remote did not take a notification",
    );
  }
}
