import { frame } from "../frames.ts";
import type { Logger } from "../logger.ts";
import type { EventStore, StoredEvent } from "../event-store.ts";
import { openEventStream } from "./event-stream.ts";
import type { EventStream, EventStreamOptions } from "./event-stream.ts";

/**
 * One event stream of a session, over however many connections: each event is kept, and a client that comes back gets
 * what it has missed. Source: 2025-11-25/basic/transports, Resumability and Redelivery.
 */
export interface Outlet {
  /** Whether a client is connected. */
  isOpen(): boolean;
  /** Whether there are events that were sent to nobody. */
  hasUnsent(): boolean;
  /** Whether a client has seen an id that it could come back with. */
  isResumable(): boolean;
  readonly push: (text: string) => void;
  /** There will be no more events than have been pushed. */
  readonly finish: () => void;
  /**
   * Connects a client, in place of one that may still seem to be connected.
   * @returns undefined if there never was that event, or what the client has missed is not kept any more
   */
  connect(connection: Connection): Promise<Response | undefined>;
  /** Ends the connection after what has been pushed, and forgets the events. */
  close(): void;
}

export interface Connection extends Omit<EventStreamOptions, "onClose"> {
  /** The place of the last event that the client has. @default that of the last one that was sent */
  readonly after?: number | undefined;
  /** Whether missed events that are not kept any more are no reason to refuse the connection. */
  readonly lossy: boolean;
  /**
   * Whether the client is given an id before there is an event, and told when to come back: one before 2025-11-25 would
   * take that for a message.
   */
  readonly primed: boolean;
  /** Milliseconds after which a client that was cut off is asked to come back. */
  readonly retryMs: number;
}

export interface OutletOptions {
  /** The part of an event's id that names the stream. */
  readonly id: string;
  /** By which the store knows the stream. */
  readonly streamId: string;
  readonly store: EventStore;
  /** Comes whenever a connection has ended: by its client, or by us. */
  readonly onDisconnect: (cut: boolean) => void;
  readonly logger: Logger;
}

export function createOutlet({ id, streamId, store, onDisconnect, logger }: OutletOptions): Outlet {
  let [pushed, kept, sent] = [0, 0, 0];
  let [isSeen, isFinished] = [false, false];
  let stream: EventStream | undefined;
  // Also those that are closed, and may not be read to their end yet.
  let opened: EventStream[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const failed = (err: unknown): void => logger.error({ err }, "The event store failed");
  // A store may take its time, and events keep their order.
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = last.then(work);
    last = result.catch(failed);
    return result;
  };
  const send = (index: number, event: string): void => {
    if (!stream?.send(event)) return;
    sent = Math.max(sent, index);
    isSeen = true;
  };
  const replay = async (after: number): Promise<readonly StoredEvent[]> => {
    if (after >= kept) return [];
    try {
      return await store.replay(streamId, after);
    } catch (error) {
      failed(error);
      return [];
    }
  };
  const keep = async (event: StoredEvent): Promise<void> => {
    kept = event.index;
    try {
      await store.store(streamId, event);
    } catch (error) {
      failed(error);
    }
  };
  const attach = (options: Connection): Response => {
    stream?.close();
    // A client that comes back again and again must not leave behind what it has not read.
    for (const before of opened.slice(0, -1)) before.cut();
    const fresh = openEventStream({
      ...options,
      onClose: (cut) => {
        if (stream === fresh) stream = undefined;
        onDisconnect(cut);
      },
    });
    stream = fresh;
    opened = [...opened.slice(-1), fresh];
    return fresh.response;
  };
  return {
    isOpen: () => stream !== undefined,
    hasUnsent: () => pushed > sent,
    isResumable: () => isSeen,
    push(text) {
      pushed += 1;
      const index = pushed;
      void inTurn(async () => {
        await keep({ index, text });
        send(index, frame(text, `${id}.${index}`));
      });
    },
    finish: () =>
      void inTurn(async () => {
        isFinished = true;
        stream?.close();
      }),
    connect: (connection) =>
      inTurn(async () => {
        const { after = sent, lossy, primed, retryMs } = connection;
        if (after > kept) return undefined;
        const missed = await replay(after);
        if (!lossy && missed.length < kept - after) return undefined;
        const response = attach(connection);
        if (primed) send(after, `id: ${id}.${after}\nretry: ${retryMs}\ndata: \n\n`);
        else stream?.send(GREETING);
        for (const { index, text } of missed) send(index, frame(text, `${id}.${index}`));
        if (isFinished) stream?.close();
        return response;
      }),
    close: () =>
      void inTurn(async () => {
        stream?.close();
        await store.forget(streamId);
      }),
  };
}

/** With nothing to say yet, the comment makes platforms send the head. */
const GREETING = ": connected\n\n";
