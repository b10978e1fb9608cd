import { errorText, toMayflyError } from "../errors.ts";
import { refusalOf } from "../exchange/conversation.ts";
import { idOf, isRequest } from "../jsonrpc.ts";
import type { MayflyError } from "../errors.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { setMember } from "../rawjson.ts";
import { cancelledBy, isInitialize, isPing, keyOf } from "./messages.ts";
import { createQueue } from "./stdio/queue.ts";
import type { StdioClient } from "./relay.ts";
import { InitializeRefused } from "./remote.ts";
import { createSwitch } from "./switching.ts";
import type { SwitchOptions } from "./switching.ts";

/** Takes what the client says. */
export interface Front {
  /** @returns a promise for when there is room for the next message, or undefined if there is */
  receive(message: Message): Promise<void> | undefined;
  /** Ends everything. Never rejects. */
  close(): Promise<void>;
}

export interface FrontOptions extends SwitchOptions {
  readonly client: StdioClient;
  /** Milliseconds that a request waits for a remote that cannot be reached. */
  readonly startTimeoutMs: number;
}

/** A message of the client that waits for its turn. */
interface Waiting {
  readonly message: Message;
  readonly arrivedAt: number;
  isCancelled: boolean;
}

export function createFront(options: FrontOptions): Front {
  const { client, logger, startTimeoutMs } = options;
  const links = createSwitch(options);
  let isOver = false;

  const relay = async (waiting: Waiting): Promise<void> => {
    const { message, arrivedAt } = waiting;
    if (waiting.isCancelled) return;
    const leftMs = Math.max(arrivedAt + startTimeoutMs - performance.now(), 0);
    const link = await links.linkFor(message, leftMs);
    if (!link) logger.debug({}, "Nothing is open that this message could belong to: dropped");
    else if (!waiting.isCancelled) await link.relay.receive(message);
  };

  const fail = async ({ message, isCancelled }: Waiting, error: unknown): Promise<void> => {
    if (isOver) return;
    const failure = error instanceof InitializeRefused ? error.failure : toMayflyError(error);
    if (failure.code === "INTERNAL") logger.error({ err: error }, "An error inside Mayfly");
    else logger.warn({ code: failure.code }, failure.message);
    if (isRequest(message) && !isCancelled) await client.write(answerTo(message, error, failure));
  };

  const queue = createQueue<Waiting>({
    sizeOf: ({ message }) => message.text.length,
    handle: (waiting) => relay(waiting).catch((error: unknown) => fail(waiting, error)),
  });

  return {
    receive(message) {
      // A client that waits for a remote must not take this end for dead as well.
      if (!links.isOpen && isPing(message)) return client.write(refusalOf(message));
      const cancelled = cancelledBy(message);
      if (cancelled !== undefined && !links.isOpen && cancelWaiting(cancelled, queue.items)) return undefined;
      return queue.push({ message, arrivedAt: performance.now(), isCancelled: false });
    },
    close() {
      isOver = true;
      queue.close();
      return links.close();
    },
  };
}

/** The client hears what the server itself has said, where that is what it has asked for. */
function answerTo(request: Message<RequestValue>, error: unknown, failure: MayflyError): string {
  const own = error instanceof InitializeRefused && isInitialize(request) ? error.answer : undefined;
  return own ? setMember(own.text, "id", idOf(request)) : errorText(failure, idOf(request));
}

/** Only what the remote has not been told of: it is told of the rest. */
function cancelWaiting(key: string, items: readonly Waiting[]): boolean {
  const waiting = items.find(({ message }) => isRequest(message) && keyOf(message) === key);
  if (waiting) waiting.isCancelled = true;
  return waiting !== undefined;
}
