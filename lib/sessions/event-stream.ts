import { COMMENT, STREAM_HEADERS, encode } from "../frames.ts";
import { onGone } from "../lifetime.ts";
import type { RequestContext } from "../incoming.ts";
import type { Client } from "../lifetime.ts";
import { MAX_TIMER_MS } from "../promises.ts";

/** An event stream that outlives its requests: messages are pushed as they come. */
export interface EventStream {
  readonly response: Response;
  /**
   * Closes it where its client reads too slowly.
   * @returns false, and sends nothing, once it is closed
   */
  send(frame: string): boolean;
  /** Ends it after what has been sent. Repeated calls count once. */
  close(): void;
  /** Ends it, also if it is closed, with what its client has not read. */
  cut(): void;
}

export interface EventStreamOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds between comments while it is idle. */
  readonly keepAliveMs: number;
  /** Tell that the client has gone, end its connection, and want to know what waits for it. */
  readonly clients: readonly (Client & Pick<RequestContext, "cut" | "unsent">)[];
  /**
   * Comes once.
   * @param cut whether the client has gone, and not we have closed it
   */
  readonly onClose: (cut: boolean) => void;
}

/** Bytes that may wait for a client to read them, when there is another message. */
const MAX_WAITING = 16 * 1024 ** 2;

/** Buffers, since the server also speaks for others and cannot wait for one client; and no more than that much. */
export function openEventStream(options: EventStreamOptions): EventStream {
  const { headers = {}, keepAliveMs, clients, onClose } = options;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let queue: typeof controller;
  const body = new ReadableStream<Uint8Array>(
    {
      start: (own) => void (controller = queue = own),
      cancel: () => finish(true),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_WAITING }),
  );
  // Also what a stream that is closed has not given away yet; one that is read to its end has no size any more.
  const unsent = (): number => (queue?.desiredSize ? MAX_WAITING - queue.desiredSize : 0);
  for (const client of clients) client.unsent?.(unsent);
  const listeners: (() => void)[] = [];
  const finish = (cut: boolean): void => {
    if (!controller) return;
    controller = undefined;
    clearInterval(timer);
    for (const off of listeners) off();
    onClose(cut);
  };
  const close = (cut = false): void => {
    controller?.close();
    finish(cut);
  };
  // What is closed only would keep what its client has not read, for as long as that one likes.
  const cut = (): void => {
    const cuts = clients.flatMap((client) => client.cut ?? []);
    if (cuts.length === 0) controller?.error(new Error("The client reads too slowly"));
    finish(false);
    for (const end of cuts) end();
  };
  const comment = (): void => {
    if (controller?.desiredSize === MAX_WAITING) controller.enqueue(COMMENT);
  };
  const timer = setInterval(comment, Math.min(keepAliveMs, MAX_TIMER_MS));
  // Whoever reads the stream keeps the host awake, and not our comments on it.
  timer.unref();
  // Whoever opens the stream must have it before it closes.
  queueMicrotask(() => {
    for (const client of clients) if (controller) listeners.push(onGone(client, () => close(true)));
  });
  return {
    response: new Response(body, { headers: { ...STREAM_HEADERS, ...headers } }),
    send(frame) {
      if ((controller?.desiredSize ?? 1) <= 0) cut();
      controller?.enqueue(encode(frame));
      return controller !== undefined;
    },
    close: () => close(),
    cut,
  };
}
