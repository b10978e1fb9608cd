import { report } from "../exchange/endings.ts";
import type { Logger } from "../logger.ts";
import type { Processes } from "../processes.ts";
import type { Server } from "../servers.ts";
import type { Watch } from "../watching.ts";
import { learnFrom } from "./built.ts";
import { recordAnswers } from "./recorder.ts";
import type { RecordingStage } from "./recorder.ts";

/** Keeps what is recorded of servers new, in the background. */
export interface Refreshing {
  /** Is told that a record could answer for the server. Returns at once. */
  note(server: Server): void;
}

/** What a record is made with, beside the server. */
export interface RefreshingOptions {
  /** Milliseconds; 0 is never. */
  readonly ttlMs: number;
  readonly processes: Processes;
  readonly watch: Watch;
  readonly logger: Logger;
  /** Fires when nothing may be begun any more. */
  readonly signal: AbortSignal;
}

/** One record at a time is made of a server, by one process at a time, which waits for its place as others do. */
export function createRefreshing(options: RefreshingOptions): Refreshing {
  const { ttlMs, signal } = options;
  const busy = new Set<Server["snapshot"]>();
  return {
    note(server) {
      const { snapshot, credentials } = server;
      // What a caller brings must not be in what others are answered.
      if (ttlMs === 0 || !snapshot || credentials || signal.aborted) return;
      if (busy.has(snapshot) || snapshot.ageMs() < ttlMs) return;
      busy.add(snapshot);
      // Never rejects, and its processes end with the signal.
      void refresh(server, options).finally(() => busy.delete(snapshot));
    },
  };
}

async function refresh(server: Server, options: RefreshingOptions): Promise<void> {
  const { logger, signal } = options;
  const { name, snapshot } = server;
  try {
    const { answers } = await recordAnswers(stageFor(server, options));
    snapshot?.learn({ key: server.snapshotKey(), ...answers });
    learnFrom(server);
    logger.info({ server: name }, "The snapshot has been recorded anew");
  } catch (error) {
    snapshot?.learn(undefined);
    const code = (error as { readonly code?: unknown }).code;
    if (!signal.aborted) logger.warn({ server: name, code }, "The snapshot could not be recorded anew");
  }
}

function stageFor(server: Server, { processes, watch, logger, signal }: RefreshingOptions): RecordingStage {
  return {
    server,
    start: (own, isSuccessor) => processes.start(server, own, NOBODY, isSuccessor),
    options: { logger, onMessage: (direction, text) => watch(server, direction, text) },
    signal,
    parallel: false,
    onFailure: (failure, process) => signal.aborted || report(failure, process, server, logger),
  };
}

/** Whose places the processes take: those of no caller. */
const NOBODY = "";
