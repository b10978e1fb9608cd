import { deleteMeta, metaText } from "../../eras/capabilities.ts";
import { LISTEN, META } from "../../eras/names.ts";
import { modernRequestText } from "../../eras/request-down.ts";
import type { Introduction } from "../../eras/request-down.ts";
import { errorText, toMayflyError } from "../../errors.ts";
import type { MayflyError } from "../../errors.ts";
import { ownId } from "../../exchange/conversation.ts";
import type { Filter } from "../../exchange/listening.ts";
import { isNotification, isObject, isResponse, messageOf } from "../../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { deferred } from "../../promises.ts";
import { editMember, memberText } from "../../rawjson.ts";
import type { ModernRemote } from "../remote.ts";

/** One `subscriptions/listen` request of ours. Source: 2026-07-28/basic/patterns/subscriptions. */
export interface ListenStream {
  /** What the remote has agreed to tell; undefined if the stream has ended before. Never rejects. */
  readonly agreed: Promise<Filter | undefined>;
  /** Resolves when the stream is over, with the JSON-RPC error that ended it, if one did. Never rejects. */
  readonly ended: Promise<string | undefined>;
  readonly end: () => void;
}

/**
 * @param tell is given each notification without the mark of the subscription, one after another
 */
export function openListenStream(
  remote: ModernRemote,
  wanted: Filter,
  introduction: Introduction,
  tell: (notification: Message<NotificationValue>) => Promise<void>,
): ListenStream {
  const over = new AbortController();
  const acknowledged = deferred<Filter | undefined>();
  const request = listenRequest(wanted, introduction);
  const follow = async (): Promise<string | undefined> => {
    try {
      for await (const message of remote.request(request, over.signal)) {
        if (isResponse(message)) return errorIn(message);
        if (over.signal.aborted || !isNotification(message) || !isOf(request, message)) continue;
        if (message.value.method === ACKNOWLEDGED) acknowledged.resolve(agreedIn(message.value, wanted));
        else await tell(untagged(message));
      }
      return undefined;
    } catch (error) {
      return over.signal.aborted ? undefined : rawError(toMayflyError(error));
    }
  };
  const ended = follow().finally(() => acknowledged.resolve(undefined));
  return { agreed: acknowledged.promise, ended, end: () => over.abort() };
}

const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";

function listenRequest(wanted: Filter, introduction: Introduction): Message<RequestValue> {
  const params = JSON.stringify({ notifications: wanted });
  return messageOf(modernRequestText(ownId(), LISTEN, params, introduction));
}

/** A mark may be missing, but must not be that of another subscription. */
function isOf({ value: { id } }: Message<RequestValue>, { value }: Message<NotificationValue>): boolean {
  const meta = value.params?.["_meta"];
  const mark = isObject(meta) ? meta[META.subscriptionId] : undefined;
  return mark === undefined || mark === id;
}

/** What was wanted, as far as the remote has agreed to it: whatever else it says, nobody has asked for. */
function agreedIn({ params }: NotificationValue, wanted: Filter): Filter {
  const said = params?.["notifications"];
  if (!isObject(said)) return {};
  const { resourceSubscriptions: uris = [], ...lists } = wanted;
  const told = new Set<unknown>(Array.isArray(said[URIS]) ? said[URIS] : []);
  const agreed = uris.filter((uri) => told.has(uri));
  return {
    ...Object.fromEntries(Object.entries(lists).filter(([list]) => said[list] === true)),
    ...(agreed.length > 0 && { [URIS]: agreed }),
  };
}

const URIS = "resourceSubscriptions";

function untagged(message: Message<NotificationValue>): Message<NotificationValue> {
  const params = memberText(message.text, "params");
  if (params === undefined || metaText(params, META.subscriptionId) === undefined) return message;
  const text = editMember(message.text, "params", (all) => deleteMeta(all, [META.subscriptionId]));
  return { ...message, text };
}

function errorIn({ text, value }: Message<ResponseValue>): string | undefined {
  return value.error === undefined ? undefined : memberText(text, "error");
}

/** The error as it stands in an answer. */
export function rawError(error: MayflyError): string {
  return memberText(errorText(error, "0"), "error") ?? "{}";
}
