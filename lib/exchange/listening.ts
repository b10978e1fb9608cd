import { setMeta } from "../eras/capabilities.ts";
import { LISTEN, META } from "../eras/names.ts";
import { requestText } from "../eras/request-down.ts";
import { begin, guarded, openServer } from "./exchange.ts";
import type { ProcessSource } from "./exchange.ts";
import { refusalOf } from "./conversation.ts";
import type { ConversationOptions } from "./conversation.ts";
import { idOf, isNotification, isObject, isRequest, isResponse, paramsText } from "../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue } from "../jsonrpc.ts";
import { ClientGone } from "../lifetime.ts";
import type { Lifetime } from "../lifetime.ts";
import type { Order, Reply, Replies } from "./order.ts";
import { setMember } from "../rawjson.ts";
import { serverAsked } from "../input/asking.ts";
import { answerRequest, cellFor, openedOf, takeTurn, underOwnId } from "./turns.ts";
import type { Exchange } from "./turns.ts";

/** `subscriptions/listen`. Source: 2026-07-28/basic/patterns/subscriptions. */

/** What a client wants to hear, or a server can tell. */
export interface Filter {
  readonly toolsListChanged?: true;
  readonly promptsListChanged?: true;
  readonly resourcesListChanged?: true;
  readonly resourceSubscriptions?: readonly string[];
}

/** Where a request may not live long: nothing is promised, and the subscription ends gracefully at once. */
export async function* acknowledge(request: Message<RequestValue>): Replies {
  yield await Promise.resolve(acknowledgement(request, {}));
  yield { kind: "response", text: gracefulEnd(request), outcome: "ok" };
}

/**
 * Serves a subscription with a process of its own until the client leaves, or gracefully until the deadline, the
 * shutdown, or the end of the server.
 */
export async function* listen(
  order: Order,
  processes: ProcessSource,
  lifetime: Lifetime,
  options: ConversationOptions,
): Replies {
  const all = begin(order, processes, lifetime, options);
  const [request] = order.requests;
  if (!request) return;
  yield* guarded(all, async function* () {
    all.opened = await openServer(all);
    if (all.opened.era === "modern") yield* passOn(request, all);
    else yield* translate(request, all);
  });
}

/** A modern server tags its notifications itself. */
async function* passOn(request: Message<RequestValue>, all: Exchange): Replies {
  const down = cellFor(all).request(request);
  takeTurn(all, request, "send" in down ? down.send : request.text);
  let isOpen = false;
  for await (const message of messagesUntilEnd(all, () => isOpen)) {
    if (isResponse(message) && all.turns.has(message.value.id)) {
      return yield answerRequest(all, request, underOwnId(request, message, message.text), true);
    }
    if (isRequest(message)) throw serverAsked(message, all);
    // Until now the server had its time to start; from now on it is the client who says how long.
    all.stopTimer();
    isOpen = true;
    if (isNotification(message)) yield { kind: "notification", text: message.text };
  }
  yield answerRequest(all, request, gracefulEnd(request), false);
}

/** A legacy server is asked in its own way, and its notifications are tagged. */
async function* translate(request: Message<RequestValue>, all: Exchange): Replies {
  const agreed = await subscribe(filterOf(request), all);
  all.stopTimer();
  yield acknowledgement(request, agreed);
  for await (const message of messagesUntilEnd(all, () => true)) {
    if (isRequest(message)) await openedOf(all).conversation.send(refusalOf(message));
    else if (isNotification(message) && isWanted(message.value, agreed)) yield tagged(message, request);
  }
  yield answerRequest(all, request, gracefulEnd(request), false);
}

/** @param isOpen whether the client has been told that it is subscribed: only then an end can be graceful */
async function* messagesUntilEnd(all: Exchange, isOpen: () => boolean): AsyncGenerator<Message, void, void> {
  const { conversation } = openedOf(all);
  for (;;) {
    try {
      yield await conversation.next(LISTEN);
    } catch (error) {
      if (!isOpen() || error instanceof ClientGone) throw error;
      return;
    }
  }
}

export const LISTS = {
  toolsListChanged: "tools",
  promptsListChanged: "prompts",
  resourcesListChanged: "resources",
} as const;

/** @returns what the server can tell of what the client wants to hear */
async function subscribe(wanted: Filter, all: Exchange): Promise<Filter> {
  const { capabilities } = Object(JSON.parse(openedOf(all).initialized ?? "{}")) as {
    capabilities?: unknown;
  };
  const lists = Object.entries(LISTS).filter(
    ([key, name]) => wanted[key as keyof typeof LISTS] === true && can(capabilities, name, "listChanged"),
  );
  const uris = can(capabilities, "resources", "subscribe") ? (wanted.resourceSubscriptions ?? []) : [];
  const agreed = await subscribedOf(uris, all);
  return {
    ...Object.fromEntries(lists.map(([key]) => [key, true])),
    ...(agreed.length > 0 && { resourceSubscriptions: agreed }),
  };
}

/** Whether a server has declared a capability with that part. */
export function can(capabilities: unknown, name: string, what: string): boolean {
  const capability = isObject(capabilities) ? capabilities[name] : undefined;
  return isObject(capability) && capability[what] === true;
}

async function subscribedOf(uris: readonly string[], all: Exchange): Promise<string[]> {
  const { conversation } = openedOf(all);
  const agreed: string[] = [];
  for (const uri of uris) {
    const textFor = (id: string): string => requestText(id, "resources/subscribe", JSON.stringify({ uri }));
    const { error } = await conversation.ask("resources/subscribe", textFor, true);
    if (error === undefined) agreed.push(uri);
  }
  return agreed;
}

function isWanted({ method }: NotificationValue, agreed: Filter): boolean {
  if (method === "notifications/resources/updated") return agreed.resourceSubscriptions !== undefined;
  const key = Object.entries(LISTS).find(([, name]) => method === `notifications/${name}/list_changed`)?.[0];
  return key !== undefined && agreed[key as keyof typeof LISTS] === true;
}

/** Resources of one subscription; the others are not agreed to. */
const MAX_RESOURCES = 100;

function filterOf({ value }: Message<RequestValue>): Filter {
  const filter = value.params?.["notifications"] as Readonly<Record<string, unknown>>;
  const uris = filter["resourceSubscriptions"];
  const lists = Object.keys(LISTS).filter((key) => filter[key] === true);
  return {
    ...Object.fromEntries(lists.map((key) => [key, true])),
    ...(Array.isArray(uris) && {
      resourceSubscriptions: uris.filter((uri) => typeof uri === "string").slice(0, MAX_RESOURCES),
    }),
  };
}

function acknowledgement(request: Message<RequestValue>, agreed: Filter): Reply {
  const params = setMeta(`{"notifications":${JSON.stringify(agreed)}}`, META.subscriptionId, idOf(request));
  return { kind: "notification", text: notificationText("notifications/subscriptions/acknowledged", params) };
}

function tagged({ text }: Message<NotificationValue>, request: Message<RequestValue>): Reply {
  const params = setMeta(paramsText(text), META.subscriptionId, idOf(request));
  return { kind: "notification", text: setMember(text, "params", params) };
}

function notificationText(method: string, params: string): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params}}`;
}

/** Source: Graceful Closure. */
function gracefulEnd(request: Message<RequestValue>): string {
  const result = setMeta('{"resultType":"complete"}', META.subscriptionId, idOf(request));
  return `{"jsonrpc":"2.0","id":${idOf(request)},"result":${result}}`;
}
