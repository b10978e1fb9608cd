import { MayflyError } from "../errors.ts";
import { failureOf, report } from "../exchange/endings.ts";
import type { Message } from "../jsonrpc.ts";
import type { Server } from "../servers.ts";
import { createBackoff } from "./backoff.ts";
import { openLink } from "./link.ts";
import type { Link, LinkHost } from "./link.ts";

/** The processes of a session: the one that takes new messages, and those of before that still have work. */
export interface Links {
  /**
   * The process that takes new messages; started if there is none.
   * @returns undefined where the server knows no handshake
   * @throws KEEPS_ENDING, and what keeps a process from being started
   */
  current(): Promise<Link | undefined>;
  /** The same, if it is there already. */
  running(): Link | undefined;
  /** Lets the next message start another process; the one before ends with its last work. */
  retire(): void;
  /** A server has answered: it is of use. */
  noteAnswer(): void;
  /** A process may have no work left. */
  noteEnd(link: Link): void;
  /** Ends all of them, and starts no more. */
  end(): void;
}

/** What a session knows about its processes, and does with what they say. */
export interface LinkEvents {
  /** The server as it is configured now. */
  server(): Server;
  /** Writes the initialize request with the id that it is given. */
  initialize(id: string): string;
  /** There is a fresh process: it must be told what the one before knew. */
  opened(link: Link): void;
  message(message: Message, link: Link): Promise<void> | void;
  /** A process has ended. Comes once for each, also for one that was ended on purpose. */
  ended(link: Link, failure: MayflyError): void;
  /** Whether a process still has work. */
  isBusy(link: Link): boolean;
}

/** @param name of the server */
export function createLinks(name: string, host: LinkHost, events: LinkEvents): Links {
  const alive = new Set<Link>();
  const dismissed = new WeakSet<Link>();
  const backoff = createBackoff(name);
  const over = new AbortController();
  let opening: Promise<Link | undefined> | undefined;
  let running: Link | undefined;

  const dismiss = (link: Link): void => {
    dismissed.add(link);
    link.end();
  };
  const dismissIfIdle = (link: Link): void => {
    if (link !== running && !events.isBusy(link)) dismiss(link);
  };
  const start = async (): Promise<Link | undefined> => {
    backoff.admit();
    const server = events.server();
    try {
      const link = await openLink(server, (id) => events.initialize(id), over.signal, host);
      if (link) alive.add(link);
      return link;
    } catch (error) {
      const failure = failureOf(error, over.signal, server) ?? ended();
      // A refusal is an answer, and may be about one client only.
      if (!isNoFailure(failure)) backoff.noteFailure();
      throw failure;
    }
  };
  const read = async (link: Link): Promise<void> => {
    try {
      for (;;) await events.message(await link.conversation.next("its clients"), link);
    } catch (error) {
      finish(link, failureOf(error, link.signal, link.server) ?? ended());
    }
  };
  const finish = (link: Link, failure: MayflyError): void => {
    alive.delete(link);
    if (running === link) [opening, running] = [undefined, undefined];
    const isExpected = dismissed.has(link) || failure.reason === "shutdown";
    if (!isExpected) {
      backoff.noteFailure();
      report(failure, link.conversation.process, link.server, host.logger);
    }
    link.end();
    events.ended(link, failure);
  };
  const settled = (mine: Promise<Link | undefined>, link: Link | undefined): void => {
    if (opening === mine) [opening, running] = [link && mine, link];
    if (!link) return;
    events.opened(link);
    void read(link);
    // Whoever waited for it has sent what it waited with by then.
    if (running !== link) setImmediate(dismissIfIdle, link);
  };
  return {
    current() {
      if (opening) return opening;
      const mine = start();
      opening = mine;
      mine.then(
        (link) => settled(mine, link),
        () => {
          if (opening === mine) opening = undefined;
        },
      );
      return mine;
    },
    running: () => running,
    retire() {
      const before = running;
      [opening, running] = [undefined, undefined];
      if (before) dismissIfIdle(before);
    },
    noteAnswer: () => backoff.noteSuccess(),
    noteEnd: dismissIfIdle,
    end() {
      over.abort(ended());
      [opening, running] = [undefined, undefined];
      for (const link of alive) dismiss(link);
    },
  };
}

/** Of the host, of one client, or of nobody any more. */
function isNoFailure({ code, reason }: MayflyError): boolean {
  const isOfHost = reason === "overloaded" || reason === "shutdown";
  return isOfHost || code === "INITIALIZE_REFUSED" || code === "SESSION_NOT_FOUND";
}

/** To whoever still waits for a session that is over. */
function ended(): MayflyError {
  return new MayflyError("SESSION_NOT_FOUND");
}
