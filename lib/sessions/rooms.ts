import type { Host } from "../host.ts";
import { MayflyError } from "../errors.ts";
import { MAX_TIMER_MS } from "../promises.ts";
import type { Server } from "../servers.ts";
import { createBridge } from "./bridge.ts";
import type { SessionClient } from "./client.ts";
import { createSession } from "./session.ts";
import type { Membership, Session } from "./session.ts";

/** Where clients find the session that they are part of. */
export interface Rooms {
  /** One session of a server for all who come this way. It ends some time after the last one has left. */
  share(server: Server, client: SessionClient): Membership;
  /** A session for one client, which ends with it. */
  open(server: Server, client: SessionClient): Membership;
}

interface Room {
  readonly session: Session;
  timer: NodeJS.Timeout | undefined;
}

/** @param sessionIdleMs milliseconds for which a shared process waits for another client */
export function createRooms(host: Host, sessionIdleMs: number): Rooms {
  const shared = new Map<string, Room>();
  const close = (name: string): void => {
    const room = shared.get(name);
    clearTimeout(room?.timer);
    shared.delete(name);
    room?.session.end(new MayflyError("SESSION_NOT_FOUND"));
  };
  const roomOf = (server: Server): Room => {
    const room = shared.get(server.name) ?? { session: sessionOf(server, true, host), timer: undefined };
    shared.set(server.name, room);
    clearTimeout(room.timer);
    return room;
  };
  host.drain.signal.addEventListener("abort", () => {
    for (const [name, { session }] of shared) if (session.size === 0) close(name);
  });
  return {
    share(server, client) {
      const room = roomOf(server);
      const membership = room.session.join(client);
      const leave = (): void => {
        membership.leave();
        if (room.session.size > 0) return;
        if (host.drain.signal.aborted) return close(server.name);
        room.timer = setTimeout(close, Math.min(sessionIdleMs, MAX_TIMER_MS), server.name);
        room.timer.unref();
      };
      return { ...membership, leave };
    },
    open(server, client) {
      const session = sessionOf(server, false, host);
      const membership = session.join(client);
      const leave = (): void => {
        membership.leave();
        session.end(new MayflyError("SESSION_NOT_FOUND"));
      };
      return { ...membership, leave };
    },
  };
}

function sessionOf(server: Server, shared: boolean, host: Host): Session {
  const { processes, places, shutdown, limits, logger, onMessage } = host;
  const { maxMessageBytes } = limits;
  const options = {
    logger,
    onMessage: (direction: "in" | "out", text: string) => onMessage(server.name, direction, text),
  };
  const links = { processes, places, shutdown, maxMessageBytes, options };
  return createSession({ server, shared, host: links, ...createBridge(host) });
}

/** @param limit of clients at once */
export function tooManySessions(limit: number): MayflyError {
  return new MayflyError("TOO_MANY_SESSIONS", { values: { limit }, headers: { "Retry-After": "1" } });
}
