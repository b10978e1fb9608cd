import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

import { REQUEST_EVENTS } from "./connections.ts";
import type { Connection, Connections } from "./connections.ts";

/**
 * Makes a server, before it listens, close the connections that nobody uses when it is closed, and each of the
 * others as soon as its last answer is out. What Node does there cuts an answer that is complete but still on its
 * way to a slow client, keeps a connection that has never been used, and leaves one that becomes idle later open.
 */
export function closeWhenIdle(server: Server, connections: Connections): void {
  let draining = false;
  const closeIfIdle = (socket: Socket): void => {
    const connection = connections.of(socket);
    if (draining && connection && isIdle(connection)) socket.destroySoon();
  };
  server.on(server instanceof TlsServer ? "secureConnection" : "connection", closeIfIdle);
  const closeAfter = ({ socket }: IncomingMessage, outgoing: ServerResponse): void => {
    outgoing.once("close", () => closeIfIdle(socket));
  };
  for (const event of REQUEST_EVENTS) server.on(event, closeAfter);
  // The first thing that close() does. Source: Node's lib/_http_server.js.
  server.closeIdleConnections = () => {
    draining = true;
    for (const { socket, isReady } of connections) {
      if (isReady) closeIfIdle(socket);
      // Node would wait for a handshake.
      else socket.destroy();
    }
  };
}

function isIdle({ requests, socket, bytesRead }: Connection): boolean {
  return requests === 0 && socket.bytesRead === bytesRead;
}
