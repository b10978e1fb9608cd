import { report } from "../exchange/endings.ts";
import type { Logger } from "../logger.ts";
import type { Processes } from "../processes.ts";
import type { Server } from "../servers.ts";
import type { Watch } from "../watching.ts";
import type { RecordingStage } from "./recorder.ts";

/** What a record is made with, beside the server. */
export interface RecordingTools {
  readonly processes: Processes;
  readonly watch: Watch;
  readonly logger: Logger;
  /** Fires when nothing may be begun any more: what fails then is no news. */
  readonly signal: AbortSignal;
}

/** Whose places the processes of a record take: those of no caller. */
const NOBODY = "";

/** @param parallel whether several processes may run at once */
export function recordingStage(
  server: Server,
  { processes, watch, logger, signal }: RecordingTools,
  parallel: boolean,
): RecordingStage {
  return {
    server,
    start: (own, isSuccessor) => processes.start(server, own, NOBODY, isSuccessor),
    options: { logger, onMessage: (direction, text) => watch(server, direction, text) },
    signal,
    parallel,
    onFailure: (failure, process) => signal.aborted || report(failure, process, server, logger),
  };
}
