import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Member, SessionState } from "./state.ts";

/** Resources that clients of a session watch. Source: 2025-11-25/server/resources, Subscriptions. */

const SUBSCRIBE = "resources/subscribe";
const UNSUBSCRIBE = "resources/unsubscribe";

/** What a request to subscribe is about. */
function uriOf({ value }: Message<RequestValue>): string {
  const uri = value.params?.["uri"];
  return typeof uri === "string" ? uri : "";
}

export function isAboutSubscription(method: string): boolean {
  return method === SUBSCRIBE || method === UNSUBSCRIBE;
}

/** Of one client: each is kept as long as it is there, and looked at when a resource changes. */
export const SUBSCRIPTION_LIMITS = { limit: 1000, length: 8192 } as const;

/** Whether a request would make a client watch more than it may. */
export function isOneTooMany(request: Message<RequestValue>, { subscriptions }: Member): boolean {
  const uri = uriOf(request);
  if (request.value.method !== SUBSCRIBE || subscriptions.has(uri)) return false;
  return subscriptions.size >= SUBSCRIPTION_LIMITS.limit || uri.length > SUBSCRIPTION_LIMITS.length;
}

/** Whether another client watches it too, or is about to. */
export function isSubscribedElsewhere(uri: string, member: Member, { members }: SessionState): boolean {
  return [...members].some((other) => other !== member && other.subscriptions.has(uri));
}

/**
 * Whether a request to subscribe, or to subscribe no more, is met without the server: it has, or keeps, the
 * subscription for another client. What a client has not subscribed to, it cannot end.
 */
export function isMet(request: Message<RequestValue>, member: Member, all: SessionState): boolean {
  const { method } = request.value;
  const uri = uriOf(request);
  if (method === SUBSCRIBE) {
    const isConfirmed = [...all.members].some(({ subscriptions }) => subscriptions.get(uri) === true);
    if (isConfirmed) member.subscriptions.set(uri, true);
    return isConfirmed;
  }
  if (method !== UNSUBSCRIBE) return false;
  const wasOwn = member.subscriptions.delete(uri);
  return !wasOwn || isSubscribedElsewhere(uri, member, all);
}

/** Keeps in mind what a client wants, from the moment when the server is asked: who asks next must know. */
export function noteWish(request: Message<RequestValue>, { subscriptions }: Member): void {
  const { method } = request.value;
  const uri = uriOf(request);
  if (method === SUBSCRIBE && !subscriptions.has(uri)) subscriptions.set(uri, false);
  if (method === UNSUBSCRIBE) subscriptions.delete(uri);
}

/** Keeps in mind what has become of it. */
export function noteOutcome(request: Message<RequestValue>, { subscriptions }: Member, isOk: boolean): void {
  const uri = uriOf(request);
  if (request.value.method !== SUBSCRIBE || subscriptions.get(uri) !== false) return;
  if (isOk) subscriptions.set(uri, true);
  else subscriptions.delete(uri);
}

/** Who hears that a resource has changed: who watches it, or what it is a part of. */
export function subscribersOf(uri: unknown, { members }: SessionState): Member[] {
  const changed = String(uri);
  return [...members].filter(({ subscriptions }) => {
    return (
      subscriptions.has(changed) || [...subscriptions.keys()].some((watched) => isPart(changed, watched))
    );
  });
}

/** Whether a URI goes on where another one ends (RFC 3986, 3). */
export function isPart(uri: string, whole: string): boolean {
  return uri.startsWith(whole) && (whole.endsWith("/") || /^[/?#]/.test(uri.slice(whole.length)));
}
