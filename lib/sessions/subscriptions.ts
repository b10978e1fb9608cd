import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Seat, SessionState } from "./state.ts";

/** Resources that clients of a session watch. Source: 2025-11-25/server/resources, Subscriptions. */

/** What a request to subscribe is about. */
export function uriOf({ value }: Message<RequestValue>): string {
  return String(value.params?.["uri"]);
}

/** Whether another client watches it too. */
export function isSubscribedElsewhere(uri: string, seat: Seat, { seats }: SessionState): boolean {
  return [...seats].some((other) => other !== seat && other.subscriptions.has(uri));
}

/** Keeps in mind what a request that the server has answered has changed. */
export function noteSubscription(request: Message<RequestValue>, seat: Seat): void {
  if (request.value.method === "resources/subscribe") seat.subscriptions.add(uriOf(request));
  if (request.value.method === "resources/unsubscribe") seat.subscriptions.delete(uriOf(request));
}

/**
 * Who hears that a resource has changed: who watches it; for a part of what is watched, which only the server knows,
 * whoever watches anything.
 */
export function subscribersOf(uri: unknown, { seats }: SessionState): Seat[] {
  const exact = [...seats].filter(({ subscriptions }) => subscriptions.has(String(uri)));
  return exact.length > 0 ? exact : [...seats].filter(({ subscriptions }) => subscriptions.size > 0);
}
