import type { Server } from "../servers.ts";
import { learnFrom } from "./built.ts";
import { recordAnswers } from "./recorder.ts";
import { recordingStage } from "./recording-stage.ts";
import type { RecordingTools } from "./recording-stage.ts";

/** Keeps what is recorded of servers new, in the background. */
export interface Refreshing {
  /** Is told that a record could answer for the server. Returns at once. */
  note(server: Server): void;
}

/** What records are made with, and how often. */
export interface RefreshingOptions extends RecordingTools {
  /** Milliseconds; 0 is never. */
  readonly ttlMs: number;
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
    const { answers } = await recordAnswers(recordingStage(server, options, false));
    snapshot?.learn({ key: server.snapshotKey(), ...answers });
    learnFrom(server);
    logger.info({ server: name }, "The snapshot has been recorded anew");
  } catch (error) {
    snapshot?.learn(undefined);
    const code = (error as { readonly code?: unknown }).code;
    if (!signal.aborted) logger.warn({ server: name, code }, "The snapshot could not be recorded anew");
  }
}
