import { asked, continueHeld, suspend } from "../input/asking.ts";
import { handshakeFor } from "./cells.ts";
import { converse, ownId } from "./conversation.ts";
import type { Conversation, ConversationOptions } from "./conversation.ts";
import { abandon, fail } from "./endings.ts";
import { errorCode } from "../eras/error-up.ts";
import { crosses } from "../eras/notification-up.ts";
import { requestText } from "../eras/request-down.ts";
import { resultTypeOf } from "../eras/result-up.ts";
import { INVALID_PARAMS, METHOD_NOT_FOUND, MayflyError, UNSUPPORTED_VERSION, errorText } from "../errors.ts";
import { notComplete } from "../input/input-required.ts";
import { idOf, isNotification, isObject, isRequest, isResponse } from "../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { onAbort } from "../lifetime.ts";
import type { Lifetime } from "../lifetime.ts";
import { openAfterRefusal, openForLegacy, openForModern } from "./opening.ts";
import type { Opened, Stage } from "./opening.ts";
import type { Order, Reply, Replies } from "./order.ts";
import { checkParameters, isWrapped, mustNotRepeat, refuseForeignState } from "./precautions.ts";
import type { OwnProcess } from "../processes.ts";
import { isObjectText, memberText } from "../rawjson.ts";
import {
  answerRequest,
  cellFor,
  limitTime,
  methodsOf,
  openedOf,
  renamedProgress,
  takeTurn,
  underOwnId,
} from "./turns.ts";
import type { Exchange, Turn } from "./turns.ts";

/** Where the processes of one POST come from. */
export interface ProcessSource {
  readonly first: OwnProcess;
  /** Another one, for a server that the first has told us how to open. */
  more(): Promise<OwnProcess>;
}

/**
 * Runs requests through a process of their own: notifications as they happen, then each answer. Whatever goes wrong
 * becomes the answer to every request that has none. When the last answer is out, the process is being ended.
 * Yields nothing more once the client has gone.
 */
export async function* exchange(
  order: Order,
  processes: ProcessSource,
  lifetime: Lifetime,
  options: ConversationOptions,
): Replies {
  const all = begin(order, processes, lifetime, options);
  yield* guarded(all, async function* () {
    await open(all);
    if (!isHandshake(order)) limitTime(all, order.server.requestTimeoutMs, "REQUEST_TIMEOUT");
    for (const request of order.requests) yield* sendDown(request, all);
    yield* untilAnswered(all);
  });
}

/** Goes on with a process that has waited for the client's answers, which are in the order's request. */
export async function* resume(all: Exchange, order: Order, lifetime: Lifetime): Replies {
  Object.assign(all, { order, lifetime, held: false, askAt: undefined, unanswered: new Set(order.requests) });
  yield* guarded(all, async function* () {
    if (all.current) attach(all, all.current);
    limitTime(all, order.server.requestTimeoutMs, "REQUEST_TIMEOUT");
    continueHeld(all);
    yield* untilAnswered(all);
  });
}

export async function* guarded(all: Exchange, work: () => Replies): Replies {
  const { lifetime } = all;
  // Also while nobody pulls: a slow client that goes away must not keep the process.
  const unlisten = onAbort(lifetime.signal, () => abandon(all));
  try {
    yield* work();
  } catch (error) {
    yield* fail(error, all);
  } finally {
    unlisten();
    // A client may come back before its question is all written: then its retry has taken over.
    if (all.lifetime === lifetime) letGo(all);
  }
}

function letGo(all: Exchange): void {
  all.release();
  all.stopTimer();
  for (const forget of all.relayed) forget();
  all.leave();
  if (!all.held) all.current?.process.end();
}

export function begin(
  order: Order,
  processes: ProcessSource,
  lifetime: Lifetime,
  options: ConversationOptions,
): Exchange {
  const { server } = order;
  // It was started before there was an answer, so that a failure to start it could still be one.
  const ready = [converse(processes.first, server, options)];
  const all: Exchange = {
    order,
    lifetime,
    current: ready[0],
    opened: undefined,
    unanswered: new Set(order.requests),
    turns: new Map(),
    open: [],
    missed: {},
    relayed: new Set(),
    serverState: undefined,
    askAt: undefined,
    leave: nothing,
    held: false,
    heldUntil: undefined,
    logger: options.logger,
    stopTimer: nothing,
    release: nothing,
    start: async () => {
      // Every process has its own time to start. The one before it is of no use any more.
      limitTime(all, server.startTimeoutMs, "START_TIMEOUT");
      const first = ready.pop();
      if (!first) all.current?.process.end();
      return attach(all, first ?? converse(await processes.more(), server, options));
    },
  };
  return all;
}

function nothing(): void {}

function attach(all: Exchange, conversation: Conversation): Conversation {
  all.release();
  all.current = conversation;
  all.release = conversation.listen(all.lifetime.signal);
  return conversation;
}

/** Opens the server, and sees to what must be known before a request goes down. */
async function open(all: Exchange): Promise<void> {
  all.opened = await openServer(all);
  refuseForeignState(all);
  if (await mustNotRepeat(all)) all.order = { ...all.order, input: { kind: "unsafe", asks: false } };
  await checkParameters(all);
  setLogLevel(all);
}

/** The level that a modern request asks for, for a server that keeps one. Its answer is for nobody. */
function setLogLevel(all: Exchange): void {
  const { conversation, initialized } = openedOf(all);
  const { logLevel: level } = all.order.client;
  if (level === undefined || initialized === undefined || !hasLogging(initialized)) return;
  void conversation.send(requestText(ownId(), "logging/setLevel", JSON.stringify({ level })));
}

function hasLogging(initialized: string): boolean {
  const capabilities = memberText(initialized, "capabilities");
  return isObjectText(capabilities) && isObjectText(memberText(capabilities, "logging"));
}

export async function openServer(all: Exchange): Promise<Opened> {
  const { client, server } = all.order;
  const stage = stageOf(all);
  if (client.era === "modern") return openForModern(stage);
  // What the server says meanwhile is for the client.
  if (!isHandshake(all.order) || server.eras.known().legacy === false) return openForLegacy(stage);
  return { conversation: await stage.start(), era: "legacy" };
}

/** Whether the request is the handshake, and has its time. */
function isHandshake({ requests }: Order): boolean {
  return requests[0]?.value.method === "initialize";
}

function stageOf({ order, start, logger }: Exchange): Stage {
  return { server: order.server, handshake: handshakeFor(order), start, logger };
}

function* sendDown(request: Message<RequestValue>, all: Exchange): Generator<Reply, void, void> {
  const down = cellFor(all).request(request);
  if ("send" in down) takeTurn(all, request, down.send);
  else yield answerRequest(all, request, down.answer, false);
}

async function* untilAnswered(all: Exchange): Replies {
  while (all.turns.size > 0) {
    const message = await nextMessage(all);
    if (!message) return yield suspend(all);
    if (isRequest(message)) yield* asked(message, all);
    else if (isNotification(message)) yield* noted(message, all);
    else if (isResponse(message)) yield* answered(message, all);
  }
}

/** @returns undefined when it is time to ask the client */
async function nextMessage(all: Exchange): Promise<Message | undefined> {
  const { conversation } = openedOf(all);
  const method = methodsOf(all);
  if (all.open.length === 0) {
    all.askAt = undefined;
    return conversation.next(method);
  }
  all.askAt ??= performance.now() + COLLECT_MS;
  const leftMs = all.askAt - performance.now();
  return leftMs > 0 ? conversation.nextWithin(method, leftMs) : undefined;
}

/** Milliseconds in which a server may add questions to one that the client must answer in its next POST. */
const COLLECT_MS = 20;

function* noted(message: Message<NotificationValue>, all: Exchange): Generator<Reply, void, void> {
  const { client } = all.order;
  const { era } = openedOf(all);
  const listener = { client: client.era, server: era, logLevel: client.logLevel };
  const text = crosses(message.value, listener) ? renamedProgress(all, message) : undefined;
  if (text !== undefined) yield { kind: "notification", text };
}

async function* answered(message: Message<ResponseValue>, all: Exchange): Replies {
  const turn = all.turns.get(message.value.id);
  if (!turn) return;
  all.turns.delete(message.value.id);
  remember(turn.request, message.value, all);
  if (openedOf(all).era === "modern" && resultTypeOf(message.value.result) !== "complete") {
    yield* notComplete(turn, message, all);
  } else if (isRefusedHandshake(turn, message, all)) yield* answerRefused(turn, message, all);
  else yield await finalAnswer(turn, message, all);
}

async function finalAnswer(turn: Turn, message: Message<ResponseValue>, all: Exchange): Promise<Reply> {
  const { request } = turn;
  if (hasFailedForLack(message.value, all)) {
    return answerRequest(all, request, capabilityMissing(request, all), true);
  }
  const wrapped = await isWrapped(request, message.value, all);
  const text = cellFor(all).response(request, message, wrapped);
  const named = underOwnId(request, message, text);
  return answerRequest(all, request, named, message.value.error !== undefined);
}

/** A server that could do without the answer has a result all the same. */
function hasFailedForLack(value: ResponseValue, { missed, order }: Exchange): boolean {
  if (order.client.era === "legacy" || Object.keys(missed).length === 0) return false;
  const { result, error } = value;
  return error !== undefined || (isObject(result) && result["isError"] === true);
}

/** Source: 2026-07-28/basic, Per-request protocol fields. */
function capabilityMissing(request: Message<RequestValue>, { missed }: Exchange): string {
  const error = new MayflyError("CAPABILITY_MISSING", { data: { requiredCapabilities: missed } });
  return errorText(error, idOf(request));
}

/** What an answer tells about the server, for the requests to come. */
function remember({ value }: Message<RequestValue>, answer: ResponseValue, all: Exchange): void {
  const { era } = openedOf(all);
  const { error } = answer;
  const { tools, eras } = all.order.server;
  if (error === undefined && value.method === "tools/list") tools.learn(answer.result);
  if (error === undefined && value.method === "initialize" && era === "legacy") eras.learn({ legacy: true });
  // It was modern once, and has been replaced since.
  if (era === "modern" && isNoModernError(value.method, error)) eras.forget();
}

/** A modern server knows the version that it was asked in, and answers lists and its own discovery. */
function isNoModernError(method: string, error: unknown): boolean {
  const code = errorCode(error);
  if (code === UNSUPPORTED_VERSION) return true;
  return (
    /^(?:server\/discover|tools\/list)$/.test(method) && [METHOD_NOT_FOUND, INVALID_PARAMS].includes(code)
  );
}

/** A client's own initialize request, refused by a server that may be modern. */
function isRefusedHandshake({ request }: Turn, { value }: Message<ResponseValue>, all: Exchange): boolean {
  const isLegacy = openedOf(all).era === "legacy";
  return isLegacy && request.value.method === "initialize" && value.error !== undefined;
}

async function* answerRefused(turn: Turn, message: Message<ResponseValue>, all: Exchange): Replies {
  const { conversation } = openedOf(all);
  try {
    all.opened = await openAfterRefusal(stageOf(all), conversation, message.value.error);
  } catch (error) {
    if (!(error instanceof MayflyError && error.code === "INITIALIZE_REFUSED")) throw error;
    return yield answerRequest(all, turn.request, underOwnId(turn.request, message, message.text), true);
  }
  yield* sendDown(turn.request, all);
}
