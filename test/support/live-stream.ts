import type { TestContext } from "node:test";

import { until, within } from "./deadline.ts";
import { readEvents } from "./event-stream.ts";
import type { Frame } from "./event-stream.ts";

/** A JSON-RPC message of any kind. */
export interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: Readonly<Record<string, unknown>>;
  };
}

/** An event stream that is read in the background. Every wait has a deadline. */
export interface LiveStream {
  readonly response: Response;
  /** All that has come, comments and empty events too. */
  readonly frames: readonly Frame[];
  /** The messages among them. */
  readonly messages: readonly Message[];
  /** The first message that matches and was not taken before; it may come later. */
  take(match: (message: Message) => boolean, label: string): Promise<Message>;
  /** The event ids, in the order of coming. */
  eventIds(): string[];
  /** How many comments have come. */
  comments(): number;
  /** Resolves when the stream is over: by its own end, or since it was closed here. */
  ended(): Promise<void>;
  isOver(): boolean;
  /** Breaks it off. */
  close(): void;
}

const WAIT_MS = 30_000;

/**
 * Fetches an event stream. After the test it is broken off.
 * @param onMessage called with each message as it comes
 */
export async function openStream(
  t: TestContext,
  url: URL | string,
  init: RequestInit = {},
  onMessage: (message: Message) => void = () => undefined,
): Promise<LiveStream> {
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const response = await within(
    fetch(url, { ...init, signal: leaving.signal }),
    WAIT_MS,
    `the head of ${String(url)}`,
  );
  return follow(response, () => leaving.abort(), onMessage);
}

function follow(response: Response, close: () => void, onMessage: (message: Message) => void): LiveStream {
  const [frames, messages, taken]: [Frame[], Message[], Set<Message>] = [[], [], new Set()];
  let isOver = false;
  const reading = read(response, (frame) => {
    frames.push(frame);
    if (!frame.data || frame.event === "endpoint") return;
    const message = JSON.parse(frame.data) as Message;
    messages.push(message);
    onMessage(message);
  }).finally(() => (isOver = true));
  // Whoever waits for the end sees why.
  reading.catch(() => undefined);
  return {
    response,
    frames,
    messages,
    async take(match, label) {
      const find = (): Message | undefined =>
        messages.find((message) => !taken.has(message) && match(message));
      const found = await until(find, { withinMs: WAIT_MS, label: () => `${label}, in ${shown(messages)}` });
      taken.add(found);
      return found;
    },
    eventIds: () => frames.flatMap((frame) => eventIdOf(frame) ?? []),
    comments: () => frames.filter(({ comment }) => comment !== undefined).length,
    ended: () => within(reading, WAIT_MS, `the end of the stream, after ${shown(messages)}`),
    isOver: () => isOver,
    close,
  };
}

export function eventIdOf({ lines }: Frame): string | undefined {
  return lines.map((line) => /^id: ?(.*)$/.exec(line)?.[1]).find((id) => id !== undefined);
}

/** To its end. That it was closed from here is no error. */
async function read(response: Response, see: (frame: Frame) => void): Promise<void> {
  try {
    for await (const frame of readEvents(response)) see(frame);
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
  }
}

const SHOWN = 5;

function shown(messages: readonly Message[]): string {
  return `${messages.length} messages, the last ${JSON.stringify(messages.slice(-SHOWN))}`;
}
