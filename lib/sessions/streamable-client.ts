import { isRequest } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Logger } from "../logger.ts";
import { MAX_TIMER_MS } from "../promises.ts";
import type { SessionClient } from "./client.ts";
import type { EventStore } from "../event-store.ts";
import { createOutlet } from "./outlet.ts";
import type { Connection, Outlet } from "./outlet.ts";
import type { Membership } from "./session.ts";
import { collector, settleIn, streamSink } from "./sinks.ts";
import type { Collector, Sink } from "./sinks.ts";

/**
 * A client of streamable HTTP with a session: its POSTs have a stream each, and it may have one more for what belongs to
 * none of them. Source: 2025-11-25/basic/transports, Streamable HTTP.
 */
export interface StreamableClient {
  /** Takes the messages of a POST, whose replies are written when it is known what they are. */
  collect(messages: readonly Message[], streams: boolean): Collected;
  /** Takes the messages of a POST, whose replies are a stream that can be resumed. */
  stream(messages: readonly Message[], connection: StreamConnection): Promise<Response | undefined>;
  /** Takes messages that ask for nothing. @returns false for a response that nobody waits for */
  take(messages: readonly Message[]): boolean;
  /**
   * A GET: the client's stream of its own, or the stream of a POST that was cut off.
   * @param lastEventId as the client sends it
   * @returns undefined where the stream cannot be resumed any more
   */
  listen(connection: StreamConnection, lastEventId: string | undefined): Promise<Response | undefined>;
  /** As of {@link SessionClient}. It needs no `this`. */
  readonly mayGiveWayFrom: () => number | undefined;
  /** Whether the session is over. */
  isOver(): boolean;
  /** Ends the session. Repeated calls count once. */
  close(): void;
}

/** How a client is connected; what it has missed is for {@link StreamableClient} to know. */
export type StreamConnection = Omit<Connection, "after" | "lossy">;

/** A POST whose replies are being collected. */
export interface Collected extends Pick<Collector, "replies"> {
  /** Nobody waits for them any more. */
  readonly cancel: () => void;
  /** Whether every request has its answer. */
  readonly isAnswered: () => boolean;
}

export interface StreamableClientOptions {
  readonly id: string;
  readonly join: (client: SessionClient) => Membership;
  readonly store: EventStore;
  /** Milliseconds without a stream, and without a request in flight, after which the session ends. */
  readonly idleMs: number;
  /** The same for a client that was listening and was cut off, and has nothing to come back for. */
  readonly resumeMs: number;
  /** Fires when sessions are to end as soon as they have nothing in flight. */
  readonly drain: AbortSignal;
  readonly onClose: () => void;
  readonly logger: Logger;
}

/** What the steps of a client share. */
interface State extends StreamableClientOptions {
  readonly membership: Membership;
  readonly outlets: Map<string, Outlet>;
  readonly standalone: Outlet;
  /** Of the requests in flight. */
  readonly sinks: Map<Message<RequestValue>, Sink>;
  /** Streams of POSTs that have ended, the oldest first. */
  readonly ended: string[];
  posts: number;
  /** Whether the client was heard last when its stream was cut. */
  isCut: boolean;
  isOver: boolean;
  idleTimer: NodeJS.Timeout | undefined;
  /** On the clock of `performance.now()`. */
  idleSince: number | undefined;
  readonly onDrain: () => void;
}

/** The stream that belongs to no POST. */
const STANDALONE = "0";
/** Streams of POSTs that have ended, and can still be resumed. */
const MAX_ENDED = 32;

export function createStreamableClient(options: StreamableClientOptions): StreamableClient {
  const state: State = {
    ...options,
    outlets: new Map(),
    standalone: outletFor(STANDALONE, options, (cut) => lose(cut, state)),
    membership: options.join({
      deliver: (text, about) => deliver(text, about, state),
      settle: (request, text) => settle(request, text, state),
      mayGiveWayFrom: () => mayGiveWayFrom(state),
      end: () => close(state),
    }),
    sinks: new Map(),
    ended: [],
    posts: 0,
    isCut: false,
    isOver: false,
    idleTimer: undefined,
    idleSince: undefined,
    onDrain: () => rest(state),
  };
  state.outlets.set(STANDALONE, state.standalone);
  options.drain.addEventListener("abort", state.onDrain);
  return {
    collect: (messages, streams) => collect(messages, streams, state),
    stream: async (messages, connection) => stream(messages, connection, state),
    take: (messages) => receive(messages, undefined, state),
    listen: async (connection, lastEventId) => listen(connection, lastEventId, state),
    mayGiveWayFrom: () => mayGiveWayFrom(state),
    isOver: () => state.isOver,
    close: () => close(state),
  };
}

function outletFor(
  id: string,
  options: StreamableClientOptions,
  onDisconnect: (cut: boolean) => void,
): Outlet {
  const { store, logger } = options;
  return createOutlet({ id, streamId: `${options.id}/${id}`, store, logger, onDisconnect });
}

function collect(messages: readonly Message[], streams: boolean, state: State): Collected {
  const requests = messages.filter(isRequest);
  const cancel = (): void => state.membership.cancel(requests);
  const sink = collector(requests, streams, cancel);
  receive(messages, sink, state);
  return { replies: sink.replies, cancel, isAnswered: () => sink.waiting.size === 0 };
}

async function stream(
  messages: readonly Message[],
  connection: StreamConnection,
  state: State,
): Promise<Response | undefined> {
  const requests = messages.filter(isRequest);
  state.posts += 1;
  const id = String(state.posts);
  const outlet = outletFor(id, state, (cut) => {
    // A client that has seen no id cannot come back for the answer, and one that listens is there still.
    if (!outlet.isResumable() && !state.standalone.isOpen()) state.membership.cancel(requests);
    lose(cut, state);
  });
  state.outlets.set(id, outlet);
  const sink = streamSink(outlet, requests, () => retire(id, outlet, state));
  const response = outlet.connect({ ...connection, lossy: false });
  receive(messages, sink, state);
  return response;
}

/** It can be resumed for some time, since its last event may not have reached the client. */
function retire(id: string, outlet: Outlet, { outlets, ended }: State): void {
  outlet.finish();
  ended.push(id);
  const oldest = ended.length > MAX_ENDED ? ended.shift() : undefined;
  if (oldest === undefined) return;
  outlets.get(oldest)?.close();
  outlets.delete(oldest);
}

/** @returns false if one of the messages is a response that nobody waits for */
function receive(messages: readonly Message[], sink: Sink | undefined, state: State): boolean {
  for (const request of sink?.waiting ?? []) if (sink) state.sinks.set(request, sink);
  state.isCut = false;
  const taken = messages.map((message) => state.membership.receive(message));
  rest(state);
  return !taken.includes(false);
}

async function listen(
  connection: StreamConnection,
  lastEventId: string | undefined,
  state: State,
): Promise<Response | undefined> {
  const { id, after } = lastEventId === undefined ? { id: STANDALONE } : placeOf(lastEventId);
  wake(state);
  // What was for all, and too long ago, is no reason to hear nothing from now on.
  const lossy = id === STANDALONE;
  try {
    return await state.outlets.get(id)?.connect({ ...connection, after, lossy });
  } finally {
    state.isCut = false;
    rest(state);
  }
}

/** Where an event stands; nowhere, for an id that is none of ours. */
function placeOf(eventId: string): { readonly id: string; readonly after?: number } {
  const [, id = "", place] = /^(\d+)\.(\d{1,15})$/.exec(eventId) ?? [];
  return { id, after: Number(place) };
}

/** On the stream of the request that it belongs to; without one on the client's own, or where else the client listens. */
function deliver(text: string, about: Message<RequestValue> | undefined, { sinks, standalone }: State): void {
  const own = about && sinks.get(about);
  if (own?.streams) return own.deliver(text);
  const newest = standalone.isOpen() ? undefined : [...sinks.values()].findLast(({ streams }) => streams);
  if (newest) newest.deliver(text);
  else standalone.push(text);
}

function settle(request: Message<RequestValue>, text: string | undefined, state: State): void {
  const sink = state.sinks.get(request);
  state.sinks.delete(request);
  if (sink) settleIn(sink, request, text);
  rest(state);
}

function lose(cut: boolean, state: State): void {
  state.isCut ||= cut;
  rest(state);
}

/** With nothing in flight and nobody listening, the time of the session runs. */
function rest(state: State): void {
  wake(state);
  if (state.isOver || state.membership.isBusy()) return;
  if (state.drain.aborted) return close(state);
  if (!isIdle(state)) return;
  state.idleSince = performance.now();
  state.idleTimer = setTimeout(close, Math.min(patience(state), MAX_TIMER_MS), state).unref();
}

function wake(state: State): void {
  clearTimeout(state.idleTimer);
  state.idleSince = undefined;
}

/** The part of its idle time after which a session gives way to another: its client may only be thinking before. */
const RIPE_AFTER = 0.1;

function mayGiveWayFrom(state: State): number | undefined {
  const { idleSince, idleMs } = state;
  return idleSince === undefined || isAwaited(state) ? undefined : idleSince + idleMs * RIPE_AFTER;
}

function isIdle({ membership, outlets }: State): boolean {
  return !membership.isBusy() && ![...outlets.values()].some((outlet) => outlet.isOpen());
}

/**
 * A cut is no wish to cancel (2025-11-25/basic/transports, Sending Messages to the Server): what the client has asked
 * for waits for it. But where nothing does, a client that was listening has most probably gone.
 */
function patience(state: State): number {
  return state.isCut && !isAwaited(state) ? state.resumeMs : state.idleMs;
}

/** Whether an answer has not reached its client. */
function isAwaited({ outlets, standalone }: State): boolean {
  return [...outlets.values()].some((outlet) => outlet !== standalone && outlet.hasUnsent());
}

function close(state: State): void {
  if (state.isOver) return;
  state.isOver = true;
  wake(state);
  state.drain.removeEventListener("abort", state.onDrain);
  state.membership.leave();
  for (const outlet of state.outlets.values()) outlet.close();
  state.onClose();
}
