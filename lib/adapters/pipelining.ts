import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** A request and its answer. */
export interface HttpExchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** The requests of each connection, one after the other. */
export interface Pipelines {
  readonly listener: RequestListener;
  /** Those that have no answer yet; the first one is being answered. */
  open(socket: Socket): readonly HttpExchange[];
}

/** Requests that may wait on a connection for the answers before them. Hardly any client sends one. */
const MAX_WAITING = 16;

/**
 * Answers the requests of a connection one at a time. All at once, one client could have any number of processes with one
 * connection, and those of later requests would run on when it goes: Node tells only the first of them.
 */
export function answerOneByOne(listener: RequestListener): Pipelines {
  const queues = new WeakMap<Socket, HttpExchange[]>();
  const begin = (exchange: HttpExchange, queue: HttpExchange[]): void => {
    exchange.outgoing.once("close", () => next(exchange.incoming.socket, queue));
    listener(exchange.incoming, exchange.outgoing);
  };
  const next = (socket: Socket, queue: HttpExchange[]): void => {
    queue.shift();
    // What came behind a request whose answer closes the connection is never looked at.
    if (!socket.writable) queue.length = 0;
    const [exchange] = queue;
    if (exchange) begin(exchange, queue);
  };
  return {
    listener: (incoming, outgoing) => {
      const { socket } = incoming;
      const queue = queues.get(socket) ?? [];
      queues.set(socket, queue);
      if (queue.length > MAX_WAITING) return void socket.destroy();
      queue.push({ incoming, outgoing });
      const [first] = queue;
      if (first?.incoming === incoming) begin(first, queue);
    },
    open: (socket) => queues.get(socket) ?? [],
  };
}
