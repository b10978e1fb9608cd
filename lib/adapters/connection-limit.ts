import type { Server } from "node:http";
import type { Socket } from "node:net";

import type { Logger } from "../logger.ts";
import type { Connections } from "./connections.ts";

/** Milliseconds between two lines of the log about connections that were turned away. */
const REPORT_MS = 10_000;

/**
 * Holds a server to that many connections: for one more, another gives way that nobody will miss. To turn the new ones
 * away would let whoever holds many, and says nothing, keep all others out.
 */
export function limitConnections(
  server: Server,
  connections: Connections,
  maxConnections: number,
  logger: Logger,
): void {
  const report = reporter(maxConnections, logger);
  server.on("connection", (socket: Socket) => {
    const newcomer = connections.of(socket);
    if (!newcomer || connections.count() <= maxConnections) return;
    const victim = connections.leastMissed(newcomer) ?? newcomer;
    if (victim === newcomer) report();
    connections.end(victim);
  });
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
