import { randomUUID } from "node:crypto";

import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { connect } from "./connection.ts";
import type { Connection, ConnectionOptions, ServerMessage } from "./connection.ts";
import { MayflyError, errorText, toMayflyError } from "./errors.ts";
import type { FailureReason } from "./errors.ts";
import { INITIALIZED_TEXT, initializeResponseText, initializeText } from "./initialize.ts";
import type { Handshake } from "./initialize.ts";
import { isNotification } from "./jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "./jsonrpc.ts";
import { ClientGone, onAbort } from "./lifetime.ts";
import type { Lifetime } from "./lifetime.ts";
import { LineTooLong } from "./lines.ts";
import { shortened } from "./logger.ts";
import type { Logger } from "./logger.ts";
import type { OwnProcess } from "./processes.ts";
import { memberText } from "./rawjson.ts";
import { earlyEnd, lineTooLong, refusedInitialize } from "./reasons.ts";
import { mask } from "./secrets.ts";
import type { Server } from "./servers.ts";

/** One request, or the requests of one batch, for one fresh process. */
export interface Order {
  readonly server: Server;
  readonly requests: readonly Message<RequestValue>[];
  /** Replayed before the requests; absent when the request itself is initialize. */
  readonly handshake?: Handshake | undefined;
  /** Bytes of one line from the server, for the error that says it was longer. */
  readonly maxMessageBytes: number;
}

/** A message for the client. */
export type Reply =
  | { readonly kind: "notification"; readonly text: string }
  | { readonly kind: "response"; readonly text: string; readonly outcome: Outcome };

/** For the log: an answer of the server, or why there is none. */
export type Outcome = "ok" | "error" | FailureReason | "internal";

/** What the steps below share. */
interface Exchange extends Order {
  readonly process: OwnProcess;
  readonly connection: Connection;
  readonly lifetime: Lifetime;
  /** Requests that have no answer yet. */
  readonly waiting: Map<RequestId, Message<RequestValue>>;
}

/**
 * Runs requests through a process of their own: notifications as they happen, then each answer. Whatever goes wrong
 * becomes the answer to every request that has none. When the last answer is out, the process is being ended.
 * Yields nothing more once the client has gone.
 */
export async function* exchange(
  order: Order,
  process: OwnProcess,
  lifetime: Lifetime,
  options: ConnectionOptions,
): AsyncGenerator<Reply, void, void> {
  const waiting = new Map(order.requests.map((request) => [request.value.id, request]));
  const connection = connect(process.child, lifetime.signal, options);
  const all: Exchange = { ...order, process, connection, lifetime, waiting };
  // Also while nobody pulls: a slow client that goes away must not keep the process.
  const unlisten = onAbort(lifetime.signal, () => abandon(all));
  try {
    yield* converse(all);
  } catch (error) {
    yield* fail(error, all, options.logger);
  } finally {
    unlisten();
    process.end();
  }
}

async function* converse(all: Exchange): AsyncGenerator<Reply, void, void> {
  await replayHandshake(all);
  const stopTimer = limitTime(all);
  try {
    for (const { text } of all.requests) void all.connection.send(text);
    while (all.waiting.size > 0) yield* replyFor(await nextMessage(all, methodsOf(all)), all);
  } finally {
    stopTimer();
  }
}

/** 2025-11-25/basic/lifecycle, Initialization. The server may choose another version than the one asked for. */
async function replayHandshake(all: Exchange): Promise<void> {
  const { handshake, connection, server } = all;
  if (!handshake) return;
  const stopTimer = limitStart(all);
  const id = `mayfly-${randomUUID()}`;
  void connection.send(initializeText(id, handshake));
  let message = await nextMessage(all, "initialize");
  while (!isAnswerTo(id, message)) message = await nextMessage(all, "initialize");
  stopTimer();
  if (message.value.error !== undefined) {
    throw refusedInitialize(server, message.value.error);
  }
  void connection.send(INITIALIZED_TEXT);
}

function isAnswerTo(id: RequestId, message: ServerMessage): message is Message<ResponseValue> {
  return !isNotification(message) && message.value.id === id;
}

/** An initialize request is the handshake, and has its time. */
function limitTime(all: Exchange): () => void {
  if (!all.handshake) return limitStart(all);
  const { lifetime, server } = all;
  const limit = server.requestTimeoutMs;
  const values = { server: server.name, method: methodsOf(all), limit };
  return lifetime.endAfter(limit, new MayflyError("REQUEST_TIMEOUT", { values }));
}

function limitStart({ lifetime, server }: Exchange): () => void {
  const limit = server.startTimeoutMs;
  return lifetime.endAfter(
    limit,
    new MayflyError("START_TIMEOUT", { values: { server: server.name, limit } }),
  );
}

/** @param method what the server has not answered yet, for the error */
async function nextMessage(all: Exchange, method: string): Promise<ServerMessage> {
  const message = await all.connection.next();
  if (message) return message;
  all.lifetime.signal.throwIfAborted();
  throw await earlyEnd(all.process.child, all.server, method);
}

function* replyFor(message: ServerMessage, all: Exchange): Generator<Reply, void, void> {
  if (isNotification(message)) {
    if (crosses(message)) yield { kind: "notification", text: message.text };
    return;
  }
  const request = all.waiting.get(message.value.id);
  if (!request) return;
  all.waiting.delete(message.value.id);
  if (all.waiting.size === 0) finish(all);
  const isHandshake = request.value.method === "initialize";
  const text = isHandshake ? initializeResponseText(message.text) : message.text;
  yield { kind: "response", text, outcome: message.value.error === undefined ? "ok" : "error" };
}

/** Before the last answer is out, since nobody may pull again after it. */
function finish({ process, lifetime }: Exchange): void {
  process.end();
  lifetime.dispose();
}

/** About something that outlives the request, or about requests of the server that never reached the client. */
const STAYS =
  /^notifications\/(?:.*\/list_changed|resources\/updated|tasks\/.*|elicitation\/complete|cancelled)$/;

function crosses({ value }: Message<NotificationValue>): boolean {
  return !STAYS.test(value.method);
}

/** 2025-11-25/basic/utilities/cancellation; initialize must not be cancelled. */
function abandon({ waiting, connection, process, lifetime }: Exchange): void {
  const reason = JSON.stringify((lifetime.signal.reason as Error).message || "The client has gone");
  for (const { text, value } of waiting.values()) {
    const params = `{"requestId":${memberText(text, "id")},"reason":${reason}}`;
    const cancelled = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`;
    if (value.method !== "initialize") void connection.send(cancelled);
  }
  process.end();
}

function* fail(error: unknown, all: Exchange, logger: Logger): Generator<Reply, void, void> {
  const { signal } = all.lifetime;
  const cause: unknown = signal.aborted ? signal.reason : error;
  if (cause instanceof ClientGone) return;
  const failure =
    cause instanceof LineTooLong ? lineTooLong(all.server, all.maxMessageBytes) : toMayflyError(cause);
  report(failure, all, logger);
  finish(all);
  for (const { text } of all.waiting.values()) {
    const answer = errorText(failure, memberText(text, "id"));
    yield { kind: "response", text: answer, outcome: failure.reason ?? "internal" };
  }
}

/** When the process is gone: only then its last words are complete. */
function report(failure: MayflyError, { process, server }: Exchange, logger: Logger): void {
  void process.gone.then(() => {
    const stderr = mask(process.child.stderrTail(), server.secrets);
    const cause = failure.cause instanceof Error ? mask(failure.cause.message, server.secrets) : undefined;
    logger.warn({ server: server.name, reason: failure.reason, cause, stderr }, failure.message);
  });
}

function methodsOf({ waiting }: Exchange): string {
  return [...waiting.values()].map(({ value }) => shortened(value.method)).join(", ");
}
