/** An event of a stream, as it was sent. */
export interface StoredEvent {
  /** Its place in the stream, from 1 up. */
  readonly index: number;
  /** The text of a JSON-RPC message. */
  readonly text: string;
}

/**
 * Where events wait for clients that lost their connection and resume it. Source: 2025-11-25/basic/transports,
 * Resumability and Redelivery. Calls for one stream come one after the other.
 */
export interface EventStore {
  /** Keeps an event, as long as there is room. */
  store(streamId: string, event: StoredEvent): void | Promise<void>;
  /** The events of a stream behind that place, in order, as far as they are kept. */
  replay(streamId: string, afterIndex: number): readonly StoredEvent[] | Promise<readonly StoredEvent[]>;
  /** Nobody can ask for the stream any more. */
  forget(streamId: string): void | Promise<void>;
}

export interface EventStoreLimits {
  /** Of one stream. @default 1000 */
  readonly maxEvents?: number;
  /** UTF-16 code units of one stream; its newest event is kept whatever its size. @default 4 Mi */
  readonly maxCharacters?: number;
  /** UTF-16 code units of all streams together. @default 64 Mi */
  readonly maxTotal?: number;
}

interface Stream {
  readonly events: StoredEvent[];
  characters: number;
}

const MEBI = 1024 ** 2;

/** Keeps events in memory. Where there is no room the oldest give way: of the stream itself, or of all streams. */
export function createEventStore(limits: EventStoreLimits = {}): EventStore {
  const { maxEvents = 1000, maxCharacters = 4 * MEBI, maxTotal = 64 * MEBI } = limits;
  // In the order of their last event.
  const streams = new Map<string, Stream>();
  let total = 0;
  const dropFirst = (streamId: string, stream: Stream): void => {
    const dropped = stream.events.shift()?.text.length ?? 0;
    stream.characters -= dropped;
    total -= dropped;
    if (stream.events.length === 0) streams.delete(streamId);
  };
  const isTooMuch = ({ events, characters }: Stream): boolean =>
    events.length > maxEvents || (events.length > 1 && characters > maxCharacters);
  const oldest = (): readonly [string, Stream] | undefined =>
    total > maxTotal ? streams.entries().next().value : undefined;
  const trim = (streamId: string, stream: Stream): void => {
    while (isTooMuch(stream)) dropFirst(streamId, stream);
    for (let first = oldest(); first; first = oldest()) dropFirst(...first);
  };
  return {
    store(streamId, event) {
      const stream = streams.get(streamId) ?? { events: [], characters: 0 };
      streams.delete(streamId);
      streams.set(streamId, stream);
      stream.events.push(event);
      stream.characters += event.text.length;
      total += event.text.length;
      trim(streamId, stream);
    },
    replay: (streamId, afterIndex) =>
      streams.get(streamId)?.events.filter(({ index }) => index > afterIndex) ?? [],
    forget(streamId) {
      total -= streams.get(streamId)?.characters ?? 0;
      streams.delete(streamId);
    },
  };
}
