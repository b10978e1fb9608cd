import { MayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import { takenOnce } from "../places.ts";
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
  open(server: Server, client: SessionClient, principal: string): Membership;
}

interface Room {
  readonly name: string;
  readonly session: Session;
  /** Takes back that nobody is there. */
  enter: () => void;
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
      const room = rows.shared.get(server.name) ?? createRoom(server, undefined, host);
      rows.shared.set(server.name, room);
      room.enter();
      return joined(room, client, () => {
        if (room.session.size === 0) closeLater(room, rows, host);
      });
    },
    open(server, client, principal) {
      const room = createRoom(server, principal, host);
      rows.own.add(room);
      return joined(room, client, () => close(room, rows));
    },
  };
}

/** @param principal whose it is alone; nobody's if clients share it */
function createRoom(server: Server, principal: string | undefined, host: Host): Room {
  const { processes, places, shutdown, limits, logger, watch } = host;
  const { maxMessageBytes } = limits;
  const takePlace = takenOnce(() => places.take(principal));
  const links = { processes, takePlace, shutdown, maxMessageBytes, logger, watch };
  const shared = principal === undefined;
  const session = createSession({ server, shared, host: links, ...createBridge(host) });
  return { name: server.name, session, enter: () => undefined };
}

function joined({ session }: Room, client: SessionClient, onLeave: () => void): Membership {
  const membership = session.join(client);
  const leave = (): void => {
    membership.leave();
    onLeave();
  };
  return { ...membership, leave };
}

/** Somebody may come soon, and expect to find what the process remembers; if nobody else needs its place. */
function closeLater(room: Room, rows: Rows, { sessionIdleMs, drain, places }: Host): void {
  room.enter();
  if (drain.signal.aborted) return close(room, rows);
  const timer = setTimeout(close, Math.min(sessionIdleMs, MAX_TIMER_MS), room, rows).unref();
  const withdraw = places.offer({ notBefore: performance.now(), giveWay: () => close(room, rows) });
  room.enter = () => {
    clearTimeout(timer);
    withdraw();
  };
}

function close(room: Room, { shared, own }: Rows): void {
  room.enter();
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
