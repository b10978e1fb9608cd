import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { cellOf } from "./cells.ts";
import type { Cell } from "./cells.ts";
import type { Conversation } from "./conversation.ts";
import { metaText } from "../eras/capabilities.ts";
import { errorCode, modernStatus } from "../eras/error-up.ts";
import { MayflyError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { idOf, paramsText } from "../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../jsonrpc.ts";
import type { Lifetime } from "../lifetime.ts";
import { shortened } from "../logger.ts";
import type { Logger } from "../logger.ts";
import type { Opened } from "./opening.ts";
import type { Order, Reply } from "./order.ts";
import type { Question } from "../input/questions.ts";
import { editMember, memberText, setMember } from "../rawjson.ts";

/** A client's request that a server has not answered yet. */
export interface Turn {
  /** As the client sent it; under `hold`, as it sent it last. */
  readonly request: Message<RequestValue>;
  /** The raw id that the server knows. */
  readonly serverId: string;
  /** The raw progress token that the server was given. */
  readonly serverToken: string | undefined;
  /** That of the client's request: read once, since a server may tell of progress a thousand times. */
  readonly clientToken: string | undefined;
  /** How often the request was sent again on behalf of the client, as the server had to wait. */
  readonly retries: number;
  /** How often its client was asked before it was sent again. */
  readonly rounds: number;
}

/**
 * What the steps of an exchange share. It changes as processes start and requests are answered; under `hold` it takes
 * on one POST after another, as long as its process lives.
 */
export interface Exchange {
  order: Order;
  lifetime: Lifetime;
  /** Ends the process before, if any, and starts a fresh one. */
  readonly start: () => Promise<Conversation>;
  /** The process that runs now, ready for requests or not. */
  current: Conversation | undefined;
  opened: Opened | undefined;
  /** Requests of the client that have no answer. */
  unanswered: Set<Message<RequestValue>>;
  /** By the id that the server knows. */
  readonly turns: Map<RequestId, Turn>;
  /** Questions of the server that wait for the client's next POST. */
  open: readonly Question[];
  /** When they go to the client: `performance.now()`. */
  askAt: number | undefined;
  /** Capabilities that the server has missed in the client. */
  missed: Readonly<Record<string, unknown>>;
  /** How to forget the questions that are on their way to a legacy client. */
  readonly relayed: Set<() => void>;
  /** What a modern server wants back with the answers that it waits for. */
  serverState: string | undefined;
  /** Gives back the place of a process whose client is asked. */
  leave: () => void;
  /** The process waits for the next POST, and is not ours to end any more. */
  held: boolean;
  /** When a process that is held must be over: milliseconds since the epoch. */
  heldUntil: number | undefined;
  readonly logger: Logger;
  /** Of the time limit that runs now. */
  stopTimer: () => void;
  /** Lets the process go on when the lifetime ends. */
  release: () => void;
}

/** The process that answers requests, once it is ready for them. */
export function openedOf({ opened }: Exchange): Opened {
  if (!opened) throw new MayflyError("INTERNAL");
  return opened;
}

/** How requests go down to that process, and answers come up. */
export function cellFor(all: Exchange): Cell {
  return cellOf(all.order, openedOf(all));
}

/** Names what the server has not answered, for errors and logs. */
export function methodsOf({ unanswered }: Exchange): string {
  return [...unanswered].map(({ value }) => shortened(value.method)).join(", ");
}

/** Ends the exchange with the error unless it is over before that many milliseconds, or another limit takes its place. */
export function limitTime(all: Exchange, limit: number, code: ErrorCode): void {
  all.stopTimer();
  const values = { server: all.order.server.name, method: methodsOf(all), limit };
  all.stopTimer = all.lifetime.endAfter(limit, new MayflyError(code, { values }));
}

/** Sends a request to the server, as this text. */
export function takeTurn(
  all: Exchange,
  request: Message<RequestValue>,
  sent: string,
  { retries, rounds }: Pick<Turn, "retries" | "rounds"> = { retries: 0, rounds: 0 },
): void {
  const serverId = memberText(sent, "id") ?? "";
  const [serverToken, clientToken] = [sent, request.text].map(progressToken);
  const turn = { request, serverId, serverToken, clientToken, retries, rounds };
  all.turns.set(JSON.parse(serverId) as RequestId, turn);
  void openedOf(all).conversation.send(sent);
}

/** @returns the raw token, undefined without one */
export function progressToken(text: string): string | undefined {
  return metaText(paramsText(text), "progressToken");
}

/**
 * The answer to a request, which is then over.
 * @param mayFail whether it may be an error; a result is not looked through for one, since it may be large
 */
export function answerRequest(
  all: Exchange,
  request: Message<RequestValue>,
  text: string,
  mayFail: boolean,
): Reply {
  all.unanswered.delete(request);
  if (all.unanswered.size === 0) finish(all);
  const { method } = request.value;
  return replyOf(all, method, all.order.server.filter.shown(method, text), mayFail);
}

/**
 * A server's answer under the id that the client wrote: the server may know the request by another one, or write the
 * same one in another way. Whether it does shows without a look through the text, which may be large.
 */
export function underOwnId(
  request: Message<RequestValue>,
  { value }: Message<ResponseValue>,
  text: string,
): string {
  const id = idOf(request);
  return JSON.stringify(value.id) === id ? text : setMember(text, "id", id);
}

function replyOf({ order }: Exchange, method: string, text: string, mayFail: boolean): Reply {
  const error = mayFail ? memberText(text, "error") : undefined;
  if (error === undefined) return { kind: "response", text, outcome: "ok" };
  const code = errorCode(JSON.parse(error));
  const status = order.client.era === "modern" ? modernStatus(code, method) : 200;
  return { kind: "response", text, outcome: "error", status };
}

/** Before the last answer is out, since nobody may pull again after it. */
export function finish({ current, lifetime, held }: Exchange): void {
  if (!held) current?.process.end();
  lifetime.dispose();
}

const PROGRESS = "notifications/progress";

/** A notification with the progress token of the POST that hears it; undefined where that asks for no progress. */
export function renamedProgress(
  all: Exchange,
  { text, value }: Message<NotificationValue>,
): string | undefined {
  if (value.method !== PROGRESS) return text;
  const token = memberText(paramsText(text), "progressToken");
  const turn = [...all.turns.values()].find(({ serverToken }) => serverToken === token);
  const heard = turn?.clientToken;
  if (!turn || heard === token) return text;
  return heard && editMember(text, "params", (params) => setMember(params, "progressToken", heard));
}
