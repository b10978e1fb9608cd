import { MayflyError, toMayflyError } from "../../errors.ts";
import { ownId } from "../../exchange/conversation.ts";
import { isRequest, messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { setMember } from "../../rawjson.ts";
import { createPauses, pauseAfter } from "../backoff.ts";
import type { Pauses } from "../backoff.ts";
import { limited } from "../limited.ts";
import { InitializeRefused } from "../remote.ts";
import type { RemoteSession, SessionEvents } from "../remote.ts";
import { eventsOf } from "./hearing.ts";
import { withdrawQuestions } from "./losing.ts";
import { reasonOf, tellDown } from "./outage-log.ts";
import { restore } from "./restoring.ts";
import { answer, forget, newGeneration } from "./stay.ts";
import type { Generation, Stay } from "./stay.ts";

/** Opens a session. @throws InitializeRefused, MayflyError, the reason of the signal */
export type OpenSession = (
  initialize: Message<RequestValue>,
  events: SessionEvents,
  signal: AbortSignal,
) => Promise<RemoteSession>;

/** Opens sessions one after another, each as the one before was. */
export interface Reopening {
  /** The first session. @throws what opening it throws */
  open(signal: AbortSignal): Promise<RemoteSession>;
  /** Opens another one, in the background. */
  start(): void;
  /** Somebody waits for it: the next attempt is made within a second of the last one. */
  hurry(): void;
  /** What keeps the remote away. */
  trouble(): MayflyError;
  /** Resolves when nothing is going on any more. */
  ended(): Promise<void>;
}

/** Milliseconds for one attempt. */
const OPEN_LIMIT_MS = 30_000;

/** What the loop knows. */
interface Loop {
  readonly all: Stay;
  readonly open: OpenSession;
  readonly initialize: Message<RequestValue>;
  readonly naps: Pauses;
  trouble: MayflyError | undefined;
  running: Promise<void>;
}

export function createReopening(all: Stay, open: OpenSession, initialize: Message<RequestValue>): Reopening {
  const loop: Loop = {
    all,
    open,
    initialize,
    naps: createPauses(),
    trouble: undefined,
    running: Promise.resolve(),
  };
  return {
    async open(signal) {
      all.session = await enter(initialize, signal, loop);
      return all.session;
    },
    start() {
      loop.running = reopen(loop);
    },
    hurry: () => loop.naps.hurry(),
    trouble: () => loop.trouble ?? unreachable("its session is being opened again"),
    ended: () => loop.running,
  };
}

/** Never rejects. */
async function reopen(loop: Loop): Promise<void> {
  const { all } = loop;
  const { signal } = all.life;
  while (!signal.aborted) {
    await nap(loop);
    if (signal.aborted) return;
    try {
      return await reopenOnce(loop);
    } catch (error) {
      if (signal.aborted) return;
      all.failures += 1;
      withdrawQuestions(all);
      noteTrouble(error, loop);
    }
  }
}

/** @throws what opening it throws, and what keeps it from being told anything */
async function reopenOnce(loop: Loop): Promise<void> {
  const { all } = loop;
  const session = await enterAgain(loop);
  const { generation } = all;
  try {
    await restore(session, generation, all);
  } catch (error) {
    // Then another one is being opened already.
    if (generation.lost) return;
    generation.lost = toMayflyError(error);
    forget(generation, all);
    // Never rejects, and is bounded.
    void session.close();
    throw error;
  }
}

/** None after the first failure: a server may be started anew. */
async function nap(loop: Loop): Promise<void> {
  const { failures, life, waiting } = loop.all;
  if (failures <= 1) return;
  const isAwaited = waiting.all().length > 0;
  await loop.naps.take(pauseAfter(failures - 1), life.signal, { isAwaited });
}

/** With the same handshake, under an id of our own: the client's own may be in use for something else by now. */
function enterAgain(loop: Loop): Promise<RemoteSession> {
  const initialize = messageOf<RequestValue>(setMember(loop.initialize.text, "id", JSON.stringify(ownId())));
  const late = unreachable(`no answer to initialize within ${OPEN_LIMIT_MS} milliseconds`);
  const { signal } = loop.all.life;
  return limited(signal, { ms: OPEN_LIMIT_MS, late }, (limit) => enter(initialize, limit, loop));
}

async function enter(
  initialize: Message<RequestValue>,
  signal: AbortSignal,
  loop: Loop,
): Promise<RemoteSession> {
  const { all } = loop;
  const generation: Generation = newGeneration();
  all.generation = generation;
  const session = await loop.open(initialize, eventsOf(generation, all), signal);
  // It may have been lost in the meantime, and the client may have gone.
  if (generation.lost ?? signal.aborted) {
    await session.close();
    throw generation.lost ?? toMayflyError(signal.reason);
  }
  generation.session = session;
  return session;
}

/** The next requests are told why; those that wait are told at once what no waiting will change. */
function noteTrouble(error: unknown, loop: Loop): void {
  const { all } = loop;
  const failure = error instanceof InitializeRefused ? error.failure : toMayflyError(error);
  const isFinal = failure.code === "REMOTE_UNAUTHORIZED" || failure.code === "REMOTE_WANTS_OAUTH";
  const isSaid = isFinal || failure.code === "REMOTE_UNREACHABLE";
  loop.trouble = isSaid ? failure : unreachable(`its session cannot be opened again: ${reasonOf(failure)}`);
  all.logger.debug({ error: failure.message }, "The remote server could not be reached");
  tellDown(reasonOf(failure), all);
  if (!isFinal) return;
  for (const message of all.waiting.takeAll()) if (isRequest(message)) answer(message, failure, all);
}

function unreachable(detail: string): MayflyError {
  return new MayflyError("REMOTE_UNREACHABLE", { values: { detail } });
}
