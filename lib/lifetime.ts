import { MayflyError } from "./errors.ts";
import { MAX_TIMER_MS } from "./promises.ts";

/** The reason of a signal that fired because nobody waits for the answer any more. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/** Everything that can end a request early, as the one signal that goes down the whole line. */
export interface Lifetime {
  /** Its reason is a {@link MayflyError} to answer with, or {@link ClientGone}. */
  readonly signal: AbortSignal;
  end(reason: MayflyError | ClientGone): void;
  /** Ends with the error after that many milliseconds, unless the returned function is called before. */
  endAfter(ms: number, error: MayflyError): () => void;
  /** Lets go of the sources and of every timer. */
  dispose(): void;
}

/** What tells by its signal that nobody waits any more: a request, or what a platform adds to it. */
export interface Client {
  readonly signal?: AbortSignal | undefined;
}

export interface LifetimeSources {
  /** Tell that the client has gone. */
  readonly clients: readonly Client[];
  /** Is given how to end because the client has cancelled, and returns how to forget that. */
  readonly cancellation?: ((end: () => void) => () => void) | undefined;
  /** Fires when the host shuts down. */
  readonly shutdown: AbortSignal;
  /** When the platform ends the request, in milliseconds since the epoch. */
  readonly deadline?: number | undefined;
}

/** Milliseconds kept back from the platform's deadline to get the answer out. */
const DEADLINE_MARGIN_MS = 1000;
/** Milliseconds without which no process is started: a program needs as many before it says anything. */
const MIN_START_MS = 20;

/** Not `AbortSignal.any`: on Node 20 a long-lived source keeps every signal that was derived from it. */
export function createLifetime({ clients, cancellation, shutdown, deadline }: LifetimeSources): Lifetime {
  const controller = new AbortController();
  const disposers: (() => void)[] = [];
  let isOver = false;
  const dispose = (): void => {
    isOver = true;
    disposers.splice(0).forEach((off) => off());
  };
  const end = (reason: MayflyError | ClientGone): void => {
    dispose();
    controller.abort(reason);
  };
  const endAfter = (ms: number, error: MayflyError): (() => void) => {
    if (isOver) return () => undefined;
    const timer = setTimeout(end, Math.min(ms, MAX_TIMER_MS), error);
    disposers.push(() => clearTimeout(timer));
    return () => clearTimeout(timer);
  };
  // Too late is now, and not at the next turn: a process would have been started by then.
  const endBefore = (deadline: number): void => {
    const leftMs = deadline - DEADLINE_MARGIN_MS - Date.now();
    const error = new MayflyError("DEADLINE");
    if (isOver || leftMs >= MIN_START_MS) endAfter(leftMs, error);
    else end(error);
  };
  const leave = (): void => end(new ClientGone());
  const listeners = [
    ...clients.map((client) => () => onGone(client, leave)),
    ...(cancellation ? [() => cancellation(leave)] : []),
    () => onAbort(shutdown, () => end(new MayflyError("SHUTTING_DOWN"))),
  ];
  // One of the sources may have fired already.
  for (const listen of listeners) if (!isOver) disposers.push(listen());
  if (deadline !== undefined) endBefore(deadline);
  return { signal: controller.signal, end, endAfter, dispose };
}

/**
 * As {@link onAbort}, and holds the request until it is told to stop listening. The signal of a `Request` in Node follows
 * the one that it was made with only as long as somebody holds the `Request` itself.
 */
export function onGone(client: Client, run: () => void): () => void {
  const off = onAbort(client.signal, run);
  const held = new Set([client]);
  return () => {
    held.clear();
    off();
  };
}

/** Runs once when the signal fires, or now if it has. Returns how to stop listening. */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  if (signal?.aborted) run();
  else signal?.addEventListener("abort", run, { once: true });
  return () => signal?.removeEventListener("abort", run);
}
