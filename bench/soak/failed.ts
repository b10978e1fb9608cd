import { assertReason, callOf } from "./job.ts";
import type { Job, Kind } from "./job.ts";
import type { ServerName } from "./servers.ts";

/** What a server does wrong, and how the caller hears of it. */
export const FAILED: Readonly<Record<string, Kind>> = {
  "a server that does not answer in time": { weight: 3, run: fails("silent-in-call", "timeout") },
  "a server that is not ready in time": { weight: 3, run: fails("silent", "timeout") },
  "a server that stops reading": { weight: 2, run: fails("ignores-stdin", "timeout") },
  "a server that floods stdout and never answers": { weight: 1, run: fails("floods-lines", "timeout") },
  "a command that is not there": { weight: 3, run: fails("missing", "spawn_failed") },
  "an exit at the start": { weight: 3, run: fails("crashes-at-start", "exited") },
  "an exit after the handshake": { weight: 3, run: fails("dies-after-handshake", "exited") },
  "an exit in the call": { weight: 3, run: fails("crashes-in-call", "exited") },
  "a kill in the call": { weight: 3, run: fails("killed-in-call", "exited") },
  "an exit that leaves a grandchild": { weight: 2, run: fails("exits-leaving-grandchild", "exited") },
  "an exit that leaves a daemon": { weight: 1, run: fails("exits-leaving-daemon", "exited") },
  "stdout that is closed": { weight: 3, run: fails("closes-stdout", "protocol") },
  "a line that is too long": { weight: 1, run: fails("oversized", "protocol") },
};

function fails(server: ServerName, reason: string): (job: Job) => Promise<void> {
  return async (job) => assertReason(await callOf(job, server, "any"), reason);
}
