import { COMMENT, STREAM_HEADERS, encode } from "../frames.ts";
import { onAbort } from "../lifetime.ts";
import { MAX_TIMER_MS, once } from "../promises.ts";

/** An event stream that outlives its requests: messages are pushed as they come. */
export interface EventStream {
  readonly response: Response;
  /** Nothing happens once it is closed. Closes it where its client reads too slowly. */
  send(frame: string): void;
  /** Ends it after what has been sent. Repeated calls count once. */
  close(): void;
}

export interface EventStreamOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds between comments while it is idle. */
  readonly keepAliveMs: number;
  /** Fire when the client has gone. */
  readonly signals: readonly (AbortSignal | undefined)[];
  /** Comes once, whoever has closed it. */
  readonly onClose: () => void;
}

/** Bytes that may wait for a client to read them, when there is another message. */
const MAX_WAITING = 16 * 1024 ** 2;

/** Buffers, since the server also speaks for others and cannot wait for one client; and no more than that much. */
export function openEventStream(options: EventStreamOptions): EventStream {
  const { headers = {}, keepAliveMs, signals, onClose } = options;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start: (own) => void (controller = own),
      cancel: () => finish(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_WAITING }),
  );
  const listeners: (() => void)[] = [];
  const finish = once(() => {
    clearInterval(timer);
    for (const off of listeners) off();
    controller = undefined;
    onClose();
  });
  const close = (): void => {
    controller?.close();
    finish();
  };
  const comment = (): void => {
    if (controller?.desiredSize === MAX_WAITING) controller.enqueue(COMMENT);
  };
  const timer = setInterval(comment, Math.min(keepAliveMs, MAX_TIMER_MS));
  // Whoever reads the stream keeps the host awake, and not our comments on it.
  timer.unref();
  listeners.push(...signals.map((signal) => onAbort(signal, close)));
  return {
    response: new Response(body, { headers: { ...STREAM_HEADERS, ...headers } }),
    send(frame) {
      if ((controller?.desiredSize ?? 1) <= 0) close();
      controller?.enqueue(encode(frame));
    },
    close,
  };
}
