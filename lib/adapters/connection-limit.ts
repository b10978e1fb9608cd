import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { Logger } from "../logger.ts";
import { REQUEST_EVENTS, peerOf } from "./connections.ts";

/** A connection, by the socket that can end it. */
interface Connection {
  socket: Socket;
  requests: number;
}

/** Milliseconds between two lines of the log about connections that were turned away. */
const REPORT_MS = 10_000;

/**
 * Holds a server to that many connections: for one more, another gives way that nobody will miss. To turn the new ones
 * away would let whoever holds many, and says nothing, keep all others out.
 */
export function limitConnections(server: Server, maxConnections: number, logger: Logger): void {
  const byPeer = new Map<string, Connection>();
  // Both have the oldest first.
  const unused = new Set<Connection>();
  const idle = new Set<Connection>();
  const report = reporter(maxConnections, logger);
  const forget = (connection: Connection): void => {
    const peer = peerOf(connection.socket);
    if (byPeer.get(peer) === connection) byPeer.delete(peer);
    unused.delete(connection);
    idle.delete(connection);
  };
  const watch = (socket: Socket, connection: Connection): void => {
    connection.socket = socket;
    byPeer.set(peerOf(socket), connection);
    socket.once("close", () => {
      if (connection.socket === socket) forget(connection);
    });
  };
  server.on("connection", (socket: Socket) => {
    const connection = { socket, requests: 0 };
    const [victim] = byPeer.size < maxConnections ? [] : [...first(unused), ...first(idle), connection];
    watch(socket, connection);
    unused.add(connection);
    if (!victim) return;
    if (victim === connection) report();
    // Now, and not when it has closed: more of them may come first.
    forget(victim);
    victim.socket.destroy();
  });
  server.on("secureConnection", (socket: Socket) => {
    const connection = byPeer.get(peerOf(socket));
    if (connection) watch(socket, connection);
  });
  const count = ({ socket }: IncomingMessage, outgoing: ServerResponse): void => {
    const connection = byPeer.get(peerOf(socket));
    if (!connection) return;
    connection.requests += 1;
    unused.delete(connection);
    idle.delete(connection);
    outgoing.once("close", () => {
      connection.requests -= 1;
      if (connection.requests === 0 && !socket.destroyed) idle.add(connection);
    });
  };
  for (const event of REQUEST_EVENTS) server.on(event, count);
}

function first<Item>([item]: Iterable<Item>): Item[] {
  return item === undefined ? [] : [item];
}

/** One line for many: whoever makes them come must not fill the log too. */
function reporter(maxConnections: number, logger: Logger): () => void {
  let refused = 0;
  let lastAt = Number.NEGATIVE_INFINITY;
  return () => {
    refused += 1;
    if (performance.now() - lastAt < REPORT_MS) return;
    lastAt = performance.now();
    logger.warn({ maxConnections, refused }, "All connections are busy: new ones are turned away");
    refused = 0;
  };
}
