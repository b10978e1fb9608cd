import { converse } from "../exchange/conversation.ts";
import type { Conversation, ConversationOptions } from "../exchange/conversation.ts";
import { failureOf } from "../exchange/endings.ts";
import { anonymousHandshake } from "../exchange/initialize.ts";
import type { Handshake } from "../exchange/initialize.ts";
import { openForLegacy, openForModern } from "../exchange/opening.ts";
import type { Stage } from "../exchange/opening.ts";
import { MayflyError } from "../errors.ts";
import { createLifetime } from "../lifetime.ts";
import type { Lifetime } from "../lifetime.ts";
import type { OwnProcess } from "../processes.ts";
import { LEGACY_VERSIONS, MODERN_VERSIONS } from "../revisions.ts";
import type { Server } from "../servers.ts";
import type { RecordedAnswers, Snapshot } from "./format.ts";
import { ask, isFinal, listsOf, unnamed } from "./lists.ts";
import type { Ready } from "./lists.ts";

/** Where the processes of a recording come from, and what ends it. */
export interface RecordingStage {
  readonly server: Server;
  readonly start: (signal: AbortSignal, isSuccessor: boolean) => Promise<OwnProcess>;
  readonly options: ConversationOptions;
  /** Fires with a {@link MayflyError}. */
  readonly signal: AbortSignal;
  /** Whether several processes may run at once. */
  readonly parallel: boolean;
  /** Is told of the process behind a failure, before it ends. */
  readonly onFailure: (failure: MayflyError, process: OwnProcess | undefined) => void;
}

/** What a server answered, and how long it took to begin. */
export interface Recorded {
  readonly answers: Omit<Snapshot, "key">;
  /** Milliseconds from the start of the first process until it was ready for requests. */
  readonly startMs: number;
}

/**
 * Asks a server for all that a snapshot holds: once for each revision, since it may list other things in each. It is
 * told of no capabilities, and nobody answers its questions.
 * @throws MayflyError with the reason, if it cannot be opened or does not answer what it declares
 */
export async function recordAnswers(stage: RecordingStage): Promise<Recorded> {
  const [newest, ...rest] = LEGACY_VERSIONS;
  const first = await recordLegacy(newest, stage);
  const older = first.answers ? rest : [];
  const works = [...older.map((version) => () => recordOlder(version, stage)), () => recordModern(stage)];
  const visits = await runAll(works, stage.parallel);
  const modern = visits.pop();
  const spoken = [first, ...visits].flatMap(({ answers }, at) => {
    const version = LEGACY_VERSIONS[at];
    return answers && version !== undefined ? [[version, answers] as const] : [];
  });
  const eras = stage.server.eras.known();
  const answers = { eras, legacy: Object.fromEntries(spoken), modern: modern?.answers };
  return { answers, startMs: (first.answers ? first : (modern ?? first)).startMs };
}

async function runAll(works: readonly (() => Promise<Visited>)[], parallel: boolean): Promise<Visited[]> {
  if (parallel) return Promise.all(works.map(async (work) => work()));
  const results: Visited[] = [];
  for (const work of works) results.push(await work());
  return results;
}

interface Visited {
  /** Undefined where the server does not speak that era. */
  readonly answers?: RecordedAnswers | undefined;
  readonly startMs: number;
}

const UNSPOKEN: Visited = { startMs: 0 };

async function recordLegacy(version: string, stage: RecordingStage): Promise<Visited> {
  const handshake = anonymousHandshake(version);
  return visit(stage, handshake, async (own) => {
    const opened = await openForLegacy(own);
    const { era, initialized = "{}", handshakeAnswer } = opened;
    if (era === "modern" || handshakeAnswer === undefined) return undefined;
    return { opened, opening: unnamed(handshakeAnswer), described: JSON.parse(initialized) };
  });
}

/** A server need not speak every revision: a client of one that it refuses is answered by a process. */
async function recordOlder(version: string, stage: RecordingStage): Promise<Visited> {
  try {
    return await recordLegacy(version, stage);
  } catch (error) {
    if (error instanceof MayflyError && error.code === "INITIALIZE_REFUSED") return UNSPOKEN;
    throw error;
  }
}

/** One that ends at the question which era it speaks has to do so twice, before that counts. */
async function recordModern(stage: RecordingStage): Promise<Visited> {
  const { eras } = stage.server;
  if (eras.known().modern === false) return UNSPOKEN;
  const visited = await visitModern(stage);
  return visited.answers || eras.known().modern !== undefined ? visited : visitModern(stage);
}

async function visitModern(stage: RecordingStage): Promise<Visited> {
  const handshake = anonymousHandshake(MODERN_VERSIONS[0]);
  return visit(stage, handshake, async (own) => {
    const opened = await openForModern(own);
    if (opened.era === "legacy") return undefined;
    const discovered = await ask(opened, "server/discover", undefined, handshake);
    const opening = isFinal(discovered) ? unnamed(discovered.text) : undefined;
    return { opened, opening, described: discovered.result };
  });
}

/** Processes of their own, of which none is left when the visit is over. */
async function visit(
  stage: RecordingStage,
  handshake: Handshake,
  open: (stage: Stage) => Promise<Ready | undefined>,
): Promise<Visited> {
  const { server, options } = stage;
  const { logger } = options;
  const lifetime = createLifetime({ clients: [], shutdown: stage.signal });
  const processes: OwnProcess[] = [];
  const start = async (): Promise<Conversation> => {
    processes.at(-1)?.end();
    const process = await stage.start(lifetime.signal, processes.length > 0);
    processes.push(process);
    const conversation = converse(process, server, options);
    conversation.listen(lifetime.signal);
    return conversation;
  };
  try {
    const startedAt = performance.now();
    const opening = open({ server, handshake, start, logger });
    const ready = await limited(opening, "START_TIMEOUT", { server, lifetime });
    const startMs = performance.now() - startedAt;
    if (!ready) return { startMs };
    const listing = listsOf(ready, handshake, server);
    const lists = await limited(listing, "REQUEST_TIMEOUT", { server, lifetime });
    return { answers: { opening: ready.opening, lists }, startMs };
  } catch (error) {
    const failure = failureOf(error, lifetime.signal, server) ?? new MayflyError("SHUTTING_DOWN");
    stage.onFailure(failure, processes.at(-1));
    throw failure;
  } finally {
    lifetime.dispose();
    for (const process of processes) process.end();
    await Promise.all(processes.map(({ gone }) => gone));
  }
}

async function limited<Value>(
  work: Promise<Value>,
  code: "START_TIMEOUT" | "REQUEST_TIMEOUT",
  { server, lifetime }: { readonly server: Server; readonly lifetime: Lifetime },
): Promise<Value> {
  const limit = code === "START_TIMEOUT" ? server.startTimeoutMs : server.requestTimeoutMs;
  const values = { server: server.name, method: "what a snapshot holds", limit };
  const stop = lifetime.endAfter(limit, new MayflyError(code, { values }));
  return work.finally(stop);
}
