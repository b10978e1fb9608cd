import { MayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import { takenOnce } from "../places.ts";
import { MAX_TIMER_MS, once } from "../promises.ts";
import type { Server, ServersChange } from "../servers.ts";
import { createBridge } from "./bridge.ts";
import type { SessionClient } from "./client.ts";
import { createSession } from "./session.ts";
import type { Membership, Session } from "./session.ts";

/** Where clients find the session that they are part of. */
export interface SessionRegistry {
  /** One session of a server for all who come this way. It ends some time after the last one has left. */
  share(server: Server, client: SessionClient, principal: string): Membership;
  /** A session for one client, which ends with it. */
  open(server: Server, client: SessionClient, principal: string): Membership;
}

interface Entry {
  readonly name: string;
  readonly session: Session;
  /** Ends it when nobody has come for some time. */
  timer: NodeJS.Timeout | undefined;
}

interface Entries {
  /** By the name of the server. */
  readonly shared: Map<string, Entry>;
  readonly own: Set<Entry>;
}

export function createSessionRegistry(host: Host): SessionRegistry {
  const entries: Entries = { shared: new Map(), own: new Set() };
  host.servers.onChange((change) => follow(change, entries));
  host.drain.signal.addEventListener("abort", () => {
    for (const entry of entries.shared.values()) if (entry.session.size === 0) close(entry, entries);
  });
  return {
    share(server, client, principal) {
      const entry = entries.shared.get(server.name) ?? createEntry(server, undefined, entries, host);
      entries.shared.set(server.name, entry);
      clearTimeout(entry.timer);
      return joined(entry, client, principal, () => {
        if (entry.session.size === 0) closeLater(entry, entries, host);
      });
    },
    open(server, client, principal) {
      const entry = createEntry(server, principal, entries, host);
      entries.own.add(entry);
      return joined(entry, client, principal, () => close(entry, entries));
    },
  };
}

/** @param principal whose it is alone; nobody's if clients share it */
function createEntry(server: Server, principal: string | undefined, entries: Entries, host: Host): Entry {
  const { processes, places, shutdown, logger, watch } = host;
  const giveWay = (): void => {
    logger.info({ server: server.name }, "An idle session gives way to another");
    close(entry, entries);
  };
  const mayGiveWayFrom = (): number | undefined => entry.session.mayGiveWayFrom();
  const takePlace = takenOnce(() => places.take({ principal, mayGiveWayFrom, giveWay }));
  const linkHost = {
    processes,
    owner: principal ?? `shared:${server.name}`,
    takePlace,
    shutdown,
    logger,
    watch,
  };
  const shared = principal === undefined;
  const session = createSession({ server, shared, host: linkHost, ...createBridge(principal, host) });
  const entry: Entry = { name: server.name, session, timer: undefined };
  return entry;
}

function joined(
  { session }: Entry,
  client: SessionClient,
  principal: string,
  onLeave: () => void,
): Membership {
  const membership = session.join(client, principal);
  const leave = once(() => {
    membership.leave();
    onLeave();
  });
  return { ...membership, leave };
}

/** Somebody may come soon, and expect to find what the process remembers. */
function closeLater(entry: Entry, entries: Entries, { sessionIdleMs, drain }: Host): void {
  clearTimeout(entry.timer);
  if (drain.signal.aborted) return close(entry, entries);
  entry.timer = setTimeout(close, Math.min(sessionIdleMs, MAX_TIMER_MS), entry, entries).unref();
}

function close(entry: Entry, { shared, own }: Entries): void {
  clearTimeout(entry.timer);
  own.delete(entry);
  if (shared.get(entry.name) === entry) shared.delete(entry.name);
  entry.session.end(new MayflyError("SESSION_NOT_FOUND"));
}

/**
 * A server that is run in another way from now on. Who has a process for itself keeps it, with what it remembers, until
 * the server is not there any more; but which tools it may call is up to the operator at any time.
 */
function follow({ removed, changed }: ServersChange, { shared, own }: Entries): void {
  for (const { to } of changed) {
    shared.get(to.name)?.session.reconfigure(to);
    for (const { name, session } of own) if (name === to.name) session.restrict(to.filter);
  }
  const names = new Set(removed.map(({ name }) => name));
  for (const entry of [...shared.values(), ...own]) {
    const gone = new MayflyError("SERVER_NOT_FOUND", { values: { server: entry.name } });
    if (!names.has(entry.name)) continue;
    clearTimeout(entry.timer);
    if (shared.get(entry.name) === entry) shared.delete(entry.name);
    entry.session.finish(gone);
  }
}
