import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** A request and its answer. */
export interface Turn {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** The requests of each connection, one after the other. */
export interface Turns {
  readonly listener: RequestListener;
  /** Those that have no answer yet; the first one is being answered. */
  open(socket: Socket): readonly Turn[];
}

/** Requests that may wait on a connection for the answers before them. Hardly any client sends one. */
const MAX_WAITING = 16;

/**
 * Answers the requests of a connection one at a time. All at once, one client could have any number of processes with one
 * connection, and those of later requests would run on when it goes: Node tells only the first of them.
 */
export function inTurn(listener: RequestListener): Turns {
  const queues = new WeakMap<Socket, Turn[]>();
  const begin = (turn: Turn, queue: Turn[]): void => {
    turn.outgoing.once("close", () => next(turn.incoming.socket, queue));
    listener(turn.incoming, turn.outgoing);
  };
  const next = (socket: Socket, queue: Turn[]): void => {
    queue.shift();
    // What came behind a request whose answer closes the connection is never looked at.
    if (!socket.writable) queue.length = 0;
    const [turn] = queue;
    if (turn) begin(turn, queue);
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
