import { MayflyError } from "../errors.ts";
import { converse } from "../exchange/conversation.ts";
import type { Conversation } from "../exchange/conversation.ts";
import { failureOf, report } from "../exchange/endings.ts";
import { INITIALIZED_TEXT } from "../exchange/initialize.ts";
import { openAfterRefusal } from "../exchange/opening.ts";
import { createLifetime, onAbort } from "../lifetime.ts";
import type { Lifetime } from "../lifetime.ts";
import type { OwnProcess, Processes } from "../processes.ts";
import { memberText } from "../rawjson.ts";
import type { Server } from "../servers.ts";
import type { Logger } from "../logger.ts";
import type { Watch } from "../watching.ts";

/** A process that a session speaks with, after the handshake. */
export interface Link {
  readonly server: Server;
  readonly conversation: Conversation;
  /** The raw InitializeResult. */
  readonly initialized: string;
  /** Fires when the reading ends, but for the end of the process itself. */
  readonly signal: AbortSignal;
  /**
   * Writes a message.
   * @returns false, and writes nothing, while the server does not read what was written before
   */
  readonly send: (text: string) => boolean;
  /** Ends the process. */
  readonly end: () => void;
}

/** Characters that may wait for a server to read them, when there is another message. */
export const MAX_UNREAD = 16 * 1024 ** 2;

/** What the processes of a session take from their host. */
export interface LinkHost {
  readonly processes: Processes;
  /** Whose processes they are. One that clients share is no caller's own. */
  readonly owner: string;
  /** Takes what a process needs until it is told to end. @throws NO_PLACE_TO_WAIT */
  readonly takePlace: () => () => void;
  readonly shutdown: AbortController;
  readonly logger: Logger;
  readonly watch: Watch;
}

/**
 * Starts a server for a session, and makes the handshake.
 * @param initialize writes the initialize request with the id that it is given
 * @param over fires when the session is over
 * @returns undefined for a server that knows no handshake: its requests need no session
 * @throws OVERLOADED, NO_PLACE_TO_WAIT, SHUTTING_DOWN, START_TIMEOUT, INITIALIZE_REFUSED, and why the server ended
 */
export async function openLink(
  server: Server,
  initialize: (id: string) => string,
  over: AbortSignal,
  host: LinkHost,
): Promise<Link | undefined> {
  if (server.eras.known().legacy === false) return undefined;
  const lifetime = createLifetime({ clients: [{ signal: over }], shutdown: host.shutdown.signal });
  const process = await startProcess(server, lifetime, over, host);
  try {
    return await shakeHands(process, server, initialize, lifetime, host);
  } catch (error) {
    const failure = failureOf(error, lifetime.signal, server);
    if (failure?.reason !== undefined) report(failure, process, server, host.logger);
    lifetime.dispose();
    process.end();
    throw failure ?? error;
  }
}

async function startProcess(
  server: Server,
  lifetime: Lifetime,
  over: AbortSignal,
  host: LinkHost,
): Promise<OwnProcess> {
  let letGo = (): void => undefined;
  try {
    const release = host.takePlace();
    // Whoever gives way does so at once: how long a process takes to start and end must keep no other client out.
    const unlisten = onAbort(over, release);
    letGo = () => {
      unlisten();
      release();
    };
    return withPlace(await host.processes.start(server, lifetime.signal, host.owner), letGo);
  } catch (error) {
    letGo();
    lifetime.dispose();
    throw error;
  }
}

function withPlace(process: OwnProcess, letGo: () => void): OwnProcess {
  void process.gone.then(letGo);
  const end = (): void => {
    letGo();
    process.end();
  };
  return { ...process, end };
}

async function shakeHands(
  process: OwnProcess,
  server: Server,
  initialize: (id: string) => string,
  lifetime: Lifetime,
  { logger, watch }: LinkHost,
): Promise<Link | undefined> {
  const onMessage = (direction: "in" | "out", text: string): void => watch(server, direction, text);
  const conversation = converse(process, server, { logger, onMessage });
  const unlisten = conversation.listen(lifetime.signal);
  const values = { server: server.name, method: "initialize", limit: server.startTimeoutMs };
  const stopTimer = lifetime.endAfter(server.startTimeoutMs, new MayflyError("START_TIMEOUT", { values }));
  const { error, text } = await conversation.ask("initialize", initialize, true);
  if (error !== undefined) await openAfterRefusal({ server, logger }, conversation, error);
  stopTimer();
  const end = (): void => {
    unlisten();
    lifetime.dispose();
    process.end();
  };
  if (error !== undefined) {
    end();
    return undefined;
  }
  server.eras.learn({ legacy: true });
  void conversation.send(INITIALIZED_TEXT);
  return {
    server,
    conversation,
    initialized: memberText(text, "result") ?? "{}",
    signal: lifetime.signal,
    send: senderOf(conversation),
    end,
  };
}

function senderOf(conversation: Conversation): Link["send"] {
  let unread = 0;
  return (text) => {
    if (unread > MAX_UNREAD) return false;
    unread += text.length;
    void conversation.send(text).then(() => (unread -= text.length));
    return true;
  };
}
