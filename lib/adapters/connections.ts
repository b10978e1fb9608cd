import type { Server } from "node:http";
import type { Socket } from "node:net";

/** What a connection has been used for. */
interface Use {
  /** Requests whose answer is not out yet. */
  requests: number;
  /** Bytes read when the last of them ended: more of them are the start of another request. */
  bytesRead: number;
}

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
  server.on("connection", (socket: Socket) => {
    uses.set(socket, { requests: 0, bytesRead: 0 });
    socket.once("close", () => uses.delete(socket));
  });
  server.on("request", ({ socket }, response) => {
    const use = uses.get(socket);
    if (!use) return;
    use.requests += 1;
    response.once("close", () => {
      use.requests -= 1;
      use.bytesRead = socket.bytesRead;
      closeIfIdle(socket);
    });
  });
  // The first thing that close() does. Source: Node's lib/_http_server.js.
  server.closeIdleConnections = () => {
    draining = true;
    for (const socket of uses.keys()) closeIfIdle(socket);
  };
}
