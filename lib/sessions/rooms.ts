import { MayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import { MAX_TIMER_MS } from "../promises.ts";
import type { Server, ServersChange } from "../servers.ts";
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
  readonly name: string;
  readonly session: Session;
  timer: NodeJS.Timeout | undefined;
}

interface Rows {
  /** By the name of the server. */
  readonly shared: Map<string, Room>;
  readonly own: Set<Room>;
}

export function createRooms(host: Host): Rooms {
  const rows: Rows = { shared: new Map(), own: new Set() };
  host.servers.onChange((change) => follow(change, rows));
  host.drain.signal.addEventListener("abort", () => {
    for (const room of rows.shared.values()) if (room.session.size === 0) close(room, rows);
  });
  return {
    share(server, client) {
      const room = rows.shared.get(server.name) ?? createRoom(server, true, host);
      rows.shared.set(server.name, room);
      clearTimeout(room.timer);
      return joined(room, client, () => {
        if (room.session.size === 0) closeLater(room, rows, host);
      });
    },
    open(server, client) {
      const room = createRoom(server, false, host);
      rows.own.add(room);
      return joined(room, client, () => close(room, rows));
    },
  };
}

function createRoom(server: Server, shared: boolean, host: Host): Room {
  const { processes, places, shutdown, limits, logger, watch } = host;
  const { maxMessageBytes } = limits;
  const links = { processes, places, shutdown, maxMessageBytes, logger, watch };
  const session = createSession({ server, shared, host: links, ...createBridge(host) });
  return { name: server.name, session, timer: undefined };
}

function joined({ session }: Room, client: SessionClient, onLeave: () => void): Membership {
  const membership = session.join(client);
  const leave = (): void => {
    membership.leave();
    onLeave();
  };
  return { ...membership, leave };
}

/** Somebody may come soon, and expect to find what the process remembers. */
function closeLater(room: Room, rows: Rows, { sessionIdleMs, drain }: Host): void {
  clearTimeout(room.timer);
  if (drain.signal.aborted) return close(room, rows);
  room.timer = setTimeout(close, Math.min(sessionIdleMs, MAX_TIMER_MS), room, rows);
  room.timer.unref();
}

function close(room: Room, { shared, own }: Rows): void {
  clearTimeout(room.timer);
  own.delete(room);
  if (shared.get(room.name) === room) shared.delete(room.name);
  room.session.end(new MayflyError("SESSION_NOT_FOUND"));
}

/**
 * A server that is run in another way from now on. Who has a process for itself keeps it, with what it remembers, until
 * the server is not there any more; but which tools it may call is up to the operator at any time.
 */
function follow({ removed, changed }: ServersChange, { shared, own }: Rows): void {
  for (const { to } of changed) {
    shared.get(to.name)?.session.reconfigure(to);
    for (const { name, session } of own) if (name === to.name) session.restrict(to.filter);
  }
  const names = new Set(removed.map(({ name }) => name));
  for (const room of [...shared.values(), ...own]) {
    const gone = new MayflyError("SERVER_NOT_FOUND", { values: { server: room.name } });
    if (names.has(room.name)) room.session.finish(gone);
    if (names.has(room.name) && shared.get(room.name) === room) shared.delete(room.name);
  }
}
