import { toLegacyError } from "../../eras/error-up.ts";
import { MayflyError } from "../../errors.ts";
import { resultText } from "../../exchange/cells.ts";
import type { Replies } from "../../exchange/order.ts";
import { idOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { onAbort } from "../../lifetime.ts";
import { SUBSCRIPTION_LIMITS } from "../../sessions/subscriptions.ts";
import { createFeed } from "./feed-state.ts";
import type { Feed, FeedOptions } from "./feed-state.ts";
import { endFeed, keepUp } from "./feed.ts";

/**
 * All that a client of the older revisions hears of changes, by one subscription to the remote: the lists that the
 * remote declares, and the resources that the client has subscribed to. Another set of resources is another
 * subscription, and the one before lives on for a second: what both tell is told once.
 */
export interface ChangeFeed {
  /** The client is ready to hear. */
  start(): void;
  /** Answers `resources/subscribe` when the remote has agreed. @throws URI_MISSING, TOO_MANY_SUBSCRIPTIONS */
  subscribe(request: Message<RequestValue>, signal: AbortSignal): Replies;
  /** Answers `resources/unsubscribe` at once. @throws URI_MISSING */
  unsubscribe(request: Message<RequestValue>): Replies;
  /** Resolves when nothing is left of it. */
  close(): Promise<void>;
}

export function createChangeFeed(options: FeedOptions): ChangeFeed {
  const feed = createFeed(options);
  let work: Promise<void> | undefined;
  const change = (): void => {
    feed.version += 1;
    work ??= keepUp(feed);
    feed.wake();
  };
  return {
    start() {
      feed.isStarted = true;
      if (feed.lists.length > 0) change();
    },
    async *subscribe(request, signal) {
      const error = await agreement(uriOf(request), feed, change, signal);
      yield error === undefined ? done(request) : refused(request, error);
    },
    async *unsubscribe(request) {
      const uri = uriOf(request);
      feed.resources.get(uri)?.waiters.forEach((settle) => settle(undefined));
      if (feed.resources.delete(uri)) change();
      yield done(request);
    },
    async close() {
      endFeed(feed);
      await work;
    },
  };
}

/** @throws URI_MISSING */
function uriOf({ value: { method, params } }: Message<RequestValue>): string {
  const uri = params?.["uri"];
  if (typeof uri !== "string") throw new MayflyError("URI_MISSING", { values: { method } });
  return uri;
}

/**
 * @param signal fires when the client does not want it any more
 * @returns why the remote has not agreed: a JSON-RPC error
 * @throws TOO_MANY_SUBSCRIPTIONS
 */
function agreement(
  uri: string,
  feed: Feed,
  change: () => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { resources } = feed;
  const known = resources.get(uri);
  if (known?.isAgreed) return Promise.resolve(undefined);
  const isTooMany = resources.size >= SUBSCRIPTION_LIMITS.limit || uri.length > SUBSCRIPTION_LIMITS.length;
  if (!known && isTooMany) throw new MayflyError("TOO_MANY_SUBSCRIPTIONS", { values: SUBSCRIPTION_LIMITS });
  const watched = known ?? { isAgreed: false, waiters: new Set() };
  resources.set(uri, watched);
  return new Promise((resolve) => {
    const settle = (error: string | undefined): void => {
      off();
      watched.waiters.delete(settle);
      resolve(error);
    };
    watched.waiters.add(settle);
    const off = onAbort(signal, () => {
      settle(undefined);
      const isUnwanted = !watched.isAgreed && watched.waiters.size === 0;
      if (isUnwanted && resources.get(uri) === watched && resources.delete(uri)) change();
    });
    if (!known) change();
  });
}

function done(request: Message<RequestValue>) {
  return { kind: "response", text: resultText(request, "{}"), outcome: "ok" } as const;
}

function refused(request: Message<RequestValue>, error: string) {
  const text = `{"jsonrpc":"2.0","id":${idOf(request)},"error":${toLegacyError(error)}}`;
  return { kind: "response", text, outcome: "error" } as const;
}
