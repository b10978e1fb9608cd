import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

/** What a connection is used for. */
export interface Connection {
  /** What can end it: under TLS another socket than the one that was accepted, when the handshake is over. */
  readonly socket: Socket;
  /** Whether it can carry requests: no handshake is under way. */
  readonly isReady: boolean;
  /** Requests whose answer is not out yet. */
  readonly requests: number;
  /** Bytes read when the last of them ended: more of them are the start of another request. */
  readonly bytesRead: number;
}

/** The connections of a server. What listens to events of the server later finds them up to date. */
export interface Connections extends Iterable<Connection> {
  count(): number;
  /** The one of an event of the server; undefined when it has ended. */
  of(socket: Socket): Connection | undefined;
  /** The oldest of those that have made no request, or else the one that has been idle for the longest. */
  leastMissed(except: Connection): Connection | undefined;
  /** Ends it, and counts it no more: it closes later, and others may come before. */
  end(connection: Connection): void;
}

/** By which Node tells of a request: those that want to know first whether to send their body have events of their own. */
export const REQUEST_EVENTS = ["request", "checkContinue", "checkExpectation"] as const;

type Mutable = { -readonly [Member in keyof Connection]: Connection[Member] };

/** @param server that does not listen yet */
export function trackConnections(server: Server): Connections {
  const byPeer = new Map<string, Mutable>();
  // Both have the oldest first.
  const unused = new Set<Connection>();
  const idle = new Set<Connection>();
  const forget = (connection: Connection): void => {
    const peer = peerOf(connection.socket);
    if (byPeer.get(peer) === connection) byPeer.delete(peer);
    unused.delete(connection);
    idle.delete(connection);
  };
  const watch = (socket: Socket, connection: Connection): void => {
    socket.once("close", () => {
      if (connection.socket === socket) forget(connection);
    });
  };
  server.on("connection", (socket: Socket) => {
    const isReady = !(server instanceof TlsServer);
    const connection = { socket, isReady, requests: 0, bytesRead: socket.bytesRead };
    byPeer.set(peerOf(socket), connection);
    unused.add(connection);
    watch(socket, connection);
  });
  server.on("secureConnection", (socket: Socket) => {
    const connection = byPeer.get(peerOf(socket));
    if (!connection) return;
    Object.assign(connection, { socket, isReady: true, bytesRead: socket.bytesRead });
    watch(socket, connection);
  });
  const begin = (connection: Mutable): void => {
    connection.requests += 1;
    unused.delete(connection);
    idle.delete(connection);
  };
  const finish = (connection: Mutable): void => {
    connection.requests -= 1;
    connection.bytesRead = connection.socket.bytesRead;
    if (connection.requests === 0 && !connection.socket.destroyed) idle.add(connection);
  };
  const count = ({ socket }: IncomingMessage, outgoing: ServerResponse): void => {
    const connection = byPeer.get(peerOf(socket));
    if (!connection) return;
    begin(connection);
    outgoing.once("close", () => finish(connection));
  };
  for (const event of REQUEST_EVENTS) server.on(event, count);
  return {
    [Symbol.iterator]: () => byPeer.values(),
    count: () => byPeer.size,
    of: (socket) => byPeer.get(peerOf(socket)),
    leastMissed: (except) => firstBut(except, unused) ?? firstBut(except, idle),
    end(connection) {
      forget(connection);
      connection.socket.destroy();
    },
  };
}

/** What both sockets of a connection have in common. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function firstBut<Item>(except: Item, items: Iterable<Item>): Item | undefined {
  for (const item of items) if (item !== except) return item;
  return undefined;
}
