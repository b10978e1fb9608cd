import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";

/** Milliseconds, and bytes, for which a client may go on sending what nobody reads. */
const LINGER_MS = 1000;
const LINGER_BYTES = 4 * 1024 ** 2;

const lingering = new WeakSet<Socket>();

/**
 * Makes the end of the connection let the client read an answer that came before all of the request was here. To close
 * at once would reset the connection, and the answer be lost with it. Source: RFC 9112, 9.6.
 */
export function lingerOver(incoming: IncomingMessage): void {
  const { socket } = incoming;
  // Node calls it when the last answer of a connection is out.
  socket.destroySoon = () => {
    if (incoming.complete) Socket.prototype.destroySoon.call(socket);
    else linger(socket);
  };
}

/** Ends our side, and reads a bounded amount for a bounded time, until the other side ends too. Nothing of it is looked at. */
export function linger(socket: Socket): void {
  if (lingering.has(socket)) return;
  lingering.add(socket);
  let bytes = 0;
  const close = (): void => void socket.destroy();
  const timer = setTimeout(close, LINGER_MS);
  timer.unref();
  // The parser would take what follows for requests.
  socket.removeAllListeners("data");
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES) close();
  });
  socket.once("end", () => Socket.prototype.destroySoon.call(socket));
  socket.once("close", () => clearTimeout(timer));
  socket.end();
  socket.resume();
}
