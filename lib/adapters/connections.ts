import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

/** What a connection has been used for. */
interface Use {
  /** Requests whose answer is not out yet. */
  requests: number;
  /** Bytes read when the last of them ended: more of them are the start of another request. */
  bytesRead: number;
}

/** By which Node tells of a request: those that want to know first whether to send their body have events of their own. */
export const REQUEST_EVENTS = ["request", "checkContinue", "checkExpectation"] as const;

/**
 * Makes a server, before it listens, close the connections that nobody uses when it is closed, and each of the
 * others as soon as its last answer is out. What Node does there cuts an answer that is complete but still on its
 * way to a slow client, keeps a connection that has never been used, and leaves one that becomes idle later open.
 */
export function closeWhenIdle(server: Server): void {
  const uses = new Map<Socket, Use>();
  let draining = false;
  const closeIfIdle = (socket: Socket): void => {
    const { requests, bytesRead } = uses.get(socket) ?? { requests: 0, bytesRead: 0 };
    if (draining && requests === 0 && socket.bytesRead === bytesRead) socket.destroySoon();
  };
  const add = (socket: Socket): void => {
    uses.set(socket, { requests: 0, bytesRead: socket.bytesRead });
    socket.once("close", () => uses.delete(socket));
    closeIfIdle(socket);
  };
  const endHandshakes = addSecured(server, add);
  const count = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    const use = uses.get(socket);
    if (!use) return;
    use.requests += 1;
    response.once("close", () => {
      use.requests -= 1;
      use.bytesRead = socket.bytesRead;
      closeIfIdle(socket);
    });
  };
  for (const event of REQUEST_EVENTS) server.on(event, count);
  // The first thing that close() does. Source: Node's lib/_http_server.js.
  server.closeIdleConnections = () => {
    draining = true;
    endHandshakes();
    for (const socket of uses.keys()) closeIfIdle(socket);
  };
}

/**
 * Adds each connection when it can carry requests: under TLS that is another socket than the one that was accepted.
 * @returns what closes those whose handshake has not ended, which Node would wait for
 */
function addSecured(server: Server, add: (socket: Socket) => void): () => void {
  if (!(server instanceof TlsServer)) {
    server.on("connection", add);
    return () => undefined;
  }
  const handshakes = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    const peer = peerOf(socket);
    handshakes.set(peer, socket);
    socket.once("close", () => {
      if (handshakes.get(peer) === socket) handshakes.delete(peer);
    });
  });
  server.on("secureConnection", (socket: Socket) => {
    handshakes.delete(peerOf(socket));
    add(socket);
  });
  return () => handshakes.forEach((socket) => socket.destroy());
}

/** What both sockets of a connection have in common. */
export function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
