import { errorCode } from "../../eras/error-up.ts";
import { METHOD_NOT_FOUND, MayflyError } from "../../errors.ts";
import type { Filter } from "../../exchange/listening.ts";
import { settlesWithin } from "../../promises.ts";
import { pause, pauseAfter } from "../backoff.ts";
import type { Feed, Subscription } from "./feed-state.ts";
import { tell, tellMissed } from "./feed-telling.ts";
import { openListenStream, rawError } from "./listen-stream.ts";

/** Keeps one subscription to a remote open, for a set of lists and resources that changes. */

export function endFeed(feed: Feed): void {
  feed.closed.abort();
  clearTimeout(feed.retiring);
  feed.wake();
  for (const { stream } of feed.open) stream.end();
}

/** Sees to it that the remote tells what is wanted, until the feed is closed. Never rejects. */
export async function keepUp(feed: Feed): Promise<void> {
  while (!feed.closed.signal.aborted) {
    if (feed.version === feed.settled) await sleep(undefined, feed);
    else if (feed.pauseMs > 0) await sleepOff(feed);
    else await renew(feed);
  }
  await Promise.all([...feed.open].map(({ stream }) => stream.ended));
}

/** A client that wants something else does not wait for it. */
async function sleepOff(feed: Feed): Promise<void> {
  const { pauseMs } = feed;
  feed.pauseMs = 0;
  await sleep(pauseMs, feed);
}

/** Until that many milliseconds are over, or there is something to do. */
async function sleep(ms: number | undefined, feed: Feed): Promise<void> {
  const awake = new AbortController();
  feed.wake = () => awake.abort();
  await (ms === undefined ? aborted(awake.signal) : pause(ms, awake.signal));
  feed.wake = () => undefined;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Milliseconds that a remote has to agree. */
const AGREE_MS = 30_000;

async function renew(feed: Feed): Promise<void> {
  const { version } = feed;
  const filter = wantedBy(feed);
  if (Object.keys(filter).length === 0) {
    feed.live = undefined;
    for (const { stream } of feed.open) stream.end();
    feed.settled = version;
    return;
  }
  const subscription = open(filter, feed);
  const { stream } = subscription;
  const isInTime = await settlesWithin(stream.agreed, AGREE_MS);
  const agreed = isInTime ? await stream.agreed : undefined;
  if (agreed) return take(subscription, agreed, version, feed);
  stream.end();
  const error = (await stream.ended) ?? rawError(new MayflyError("CHANGES_NOT_TOLD"));
  if (!feed.closed.signal.aborted) giveUp(subscription, error, version, feed);
}

function wantedBy({ lists, isStarted, resources }: Feed): Filter {
  const uris = [...resources.keys()];
  return {
    ...(isStarted && Object.fromEntries(lists.map((list) => [list, true]))),
    ...(uris.length > 0 && { resourceSubscriptions: uris }),
  };
}

function open(filter: Filter, feed: Feed): Subscription {
  const source = feed.toldOnce.join();
  const { remote, introduction } = feed;
  const stream = openListenStream(remote, filter, introduction(), (message) => tell(message, source, feed));
  const subscription = { stream, source, filter, openedAt: performance.now() };
  feed.open.add(subscription);
  void stream.ended.then(() => noteEnd(subscription, feed));
  return subscription;
}

/** The version that is dealt with when none is. */
const NOTHING = -1;

/** Milliseconds after which a subscription has lasted: one that ends earlier is a failure like those before it. */
const LASTING_MS = 10_000;

/** A subscription that has ended, and nobody wanted it to. */
function noteEnd(subscription: Subscription, feed: Feed): void {
  subscription.source.leave();
  feed.open.delete(subscription);
  if (feed.live === subscription && !feed.closed.signal.aborted) noteLoss(subscription, feed);
}

function noteLoss({ openedAt }: Subscription, feed: Feed): void {
  const hasLasted = performance.now() - openedAt > LASTING_MS;
  feed.live = undefined;
  feed.failures = hasLasted ? 0 : feed.failures;
  noteFailure(feed);
  feed.settled = NOTHING;
  feed.wake();
}

function noteFailure(feed: Feed): void {
  feed.hasMissed = true;
  feed.failures += 1;
  feed.pauseMs = pauseAfter(feed.failures);
  if (feed.failures === 1) feed.logger.info({}, "The remote tells of no changes at the moment: trying again");
}

/** The remote has agreed to a part of it, or to all. */
async function take(subscription: Subscription, agreed: Filter, version: number, feed: Feed): Promise<void> {
  const before = feed.live;
  feed.live = subscription;
  feed.settled = version;
  const told = new Set(agreed.resourceSubscriptions);
  for (const uri of subscription.filter.resourceSubscriptions ?? []) {
    settle(uri, told.has(uri) ? undefined : rawError(new MayflyError("CHANGES_NOT_TOLD")), feed);
  }
  retire(before, feed);
  const { hasMissed } = feed;
  Object.assign(feed, { hasMissed: false, pauseMs: 0 });
  // A server that promises nothing, as functions do, need not be asked again and again.
  if (Object.keys(agreed).length === 0) endLive(feed);
  else if (!feed.open.has(subscription)) noteLoss(subscription, feed);
  if (hasMissed) await tellMissed(agreed, feed);
}

function settle(uri: string, error: string | undefined, { resources, logger }: Feed): void {
  const watched = resources.get(uri);
  if (!watched) return;
  if (error === undefined) watched.isAgreed = true;
  else if (!watched.isAgreed) resources.delete(uri);
  else logger.debug({}, "The remote does not tell any more when a resource changes");
  for (const waiter of [...watched.waiters]) waiter(error);
}

/** Milliseconds that a subscription lives on beside the one that takes its place: what is on its way arrives. */
const OVERLAP_MS = 1000;

/** Of those whose place was taken before, nothing can be on its way any more. */
function retire(before: Subscription | undefined, feed: Feed): void {
  clearTimeout(feed.retiring);
  for (const one of feed.open) if (one !== feed.live && one !== before) one.stream.end();
  if (before) feed.retiring = setTimeout(before.stream.end, OVERLAP_MS);
}

function endLive(feed: Feed): void {
  const { live } = feed;
  feed.live = undefined;
  live?.stream.end();
}

function giveUp({ filter }: Subscription, error: string, version: number, feed: Feed): void {
  for (const uri of filter.resourceSubscriptions ?? []) settle(uri, error, feed);
  const isRefused = errorCode(JSON.parse(error)) === METHOD_NOT_FOUND;
  if (isRefused) feed.logger.debug({}, "The remote has no subscriptions: nobody tells of changes");
  // The subscription before goes on, for what was wanted then.
  if (isRefused || feed.live) feed.settled = version;
  else noteFailure(feed);
}
