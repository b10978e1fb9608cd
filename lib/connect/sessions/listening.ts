import { toMayflyError } from "../../errors.ts";
import { during } from "./exchanges.ts";
import { getStream, newResumePoint, readFrom, waitFor } from "./resuming.ts";
import type { ResumePoint } from "./resuming.ts";
import { take } from "./session-state.ts";
import type { Streamable } from "./session-state.ts";

/** Milliseconds after which a stream was of use, even if nothing came on it. */
const USEFUL_MS = 5000;

/**
 * Keeps the stream open on which a server says what belongs to no request, until the session is over or the server has
 * none. Never rejects. Source: 2025-11-25/basic/transports, Listening for Messages from the Server.
 */
export async function listen(all: Streamable): Promise<void> {
  all.hasStream = true;
  const point = newResumePoint();
  const isGoing = (): boolean => all.hasStream && !all.isOver && !all.isForgotten;
  // The first 404 may be of a server that has no such route. If the session is forgotten, the next request tells.
  for (let wasOpen = false; isGoing();) {
    const isOpened = await during(all.running, ({ signal }) => listenOnce(point, wasOpen, signal, all));
    wasOpen ||= isOpened;
    if (isGoing()) await during(all.running, (controller) => nap(point, controller, all));
  }
}

/** A remote that takes requests is there again, and so may the stream be. What the server has asked for, it gets. */
async function nap(point: ResumePoint, controller: AbortController, all: Streamable): Promise<void> {
  if (point.failures > 1) all.hurry = () => controller.abort();
  await waitFor(point, controller.signal);
  all.hurry = () => undefined;
}

/** @returns whether there was a stream */
async function listenOnce(
  point: ResumePoint,
  wasOpen: boolean,
  signal: AbortSignal,
  all: Streamable,
): Promise<boolean> {
  const startedAt = performance.now();
  try {
    const got = await getStream(point, wasOpen, signal, all);
    point.failures += 1;
    if (got === "never") giveUp(point, all);
    if (typeof got === "string") return false;
    for await (const message of readFrom(got, point, signal, all)) await take(message, undefined, all);
  } catch (error) {
    if (signal.aborted) return false;
    all.target.logger.warn({ error: toMayflyError(error).message }, "The stream of the remote server broke");
    // The same message would come again.
    point.id = undefined;
    point.failures += 1;
  }
  if (performance.now() - startedAt >= USEFUL_MS) point.failures = 0;
  return true;
}

/** A server that does not know the last event any more may have a new stream all the same. */
function giveUp(point: ResumePoint, all: Streamable): void {
  if (point.id === undefined) all.hasStream = false;
  point.id = undefined;
}
