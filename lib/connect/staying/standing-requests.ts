import { requestText } from "../../eras/request-down.ts";
import { ownId } from "../../exchange/conversation.ts";
import { LISTS, can } from "../../exchange/listening.ts";
import { isObject, paramsText } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { deleteMember } from "../../rawjson.ts";
import { SUBSCRIPTION_LIMITS } from "../../sessions/subscriptions.ts";

/** What a client has asked of a session for all its time, and a new one must be told again. */
export interface StandingRequests {
  /** A request was answered. */
  note(request: Message<RequestValue>, answer: Message<ResponseValue>): void;
  /** The requests that tell it all, under ids of our own. */
  requests(): string[];
  /** Notifications of all that may have changed while nobody told the client. */
  changes(initialized: Message<ResponseValue>): string[];
}

export function createStandingRequests(): StandingRequests {
  /** Params of the requests to subscribe, by URI. */
  const subscriptions = new Map<string, string>();
  let level: string | undefined;
  return {
    note({ text, value: { method, params } }, answer) {
      const uri = params?.["uri"];
      if (answer.value.error !== undefined) return;
      if (method === "logging/setLevel") level = ownParams(text);
      if (typeof uri !== "string") return;
      if (method === "resources/unsubscribe") subscriptions.delete(uri);
      if (method === "resources/subscribe" && hasRoom(uri, subscriptions)) {
        subscriptions.set(uri, ownParams(text));
      }
    },
    requests: () => [
      ...[...subscriptions.values()].map((params) => requestText(ownId(), "resources/subscribe", params)),
      ...(level === undefined ? [] : [requestText(ownId(), "logging/setLevel", level)]),
    ],
    changes: (initialized) => [
      ...listChanges(initialized),
      ...[...subscriptions.keys()].map((uri) => notification("notifications/resources/updated", { uri })),
    ],
  };
}

/** Without what belongs to the client's own request, such as its progress token. */
function ownParams(text: string): string {
  return deleteMember(paramsText(text), "_meta");
}

/** As many as Mayfly takes from a client of its own: each is kept as long as the session. */
function hasRoom(uri: string, { size }: Map<string, string>): boolean {
  return size < SUBSCRIPTION_LIMITS.limit && uri.length <= SUBSCRIPTION_LIMITS.length;
}

/** Of the lists that the server has declared to tell of. Source: 2025-11-25/server/tools, List Changed Notification. */
function listChanges({ value: { result } }: Message<ResponseValue>): string[] {
  const capabilities = isObject(result) ? result["capabilities"] : undefined;
  return Object.values(LISTS)
    .filter((list) => can(capabilities, list, "listChanged"))
    .map((list) => notification(`notifications/${list}/list_changed`));
}

function notification(method: string, params?: object): string {
  return JSON.stringify({ jsonrpc: "2.0", method, ...(params && { params }) });
}
