import type { HandlerOptions, ServerConfig } from "../configuration/options.ts";
import type { Command } from "../resolve.ts";
import { exposedVariable } from "./exposed.ts";
import type { Snapshot } from "./format.ts";
import { onHostApart, startedBy } from "./host-apart.ts";
import { recordAnswers } from "./recorder.ts";
import { recordingStage } from "./recording-stage.ts";

/** A server's snapshot, and how long the server took. */
export interface Recording {
  readonly snapshot: Snapshot;
  /** Milliseconds from the start of a process until it was ready for requests. */
  readonly startMs: number;
  /** A variable whose value is in the snapshot, which no file may hold then; undefined if there is none. */
  readonly exposed: string | undefined;
}

/**
 * Records what a server answers without being asked to do anything, by real processes: with its variables, its sandbox
 * and its limits, as requests start it. None is left when it is done.
 * @param command runs in place of the configured one; the snapshot is made for the configured one all the same
 * @throws MayflyError with the reason if the server cannot be opened; ConfigurationError. What it wrote to stderr goes to
 * `options.logger`
 */
export async function recordServer(
  name: string,
  options: HandlerOptions,
  command?: Command,
): Promise<Recording> {
  return onHostApart(name, options, async (found, host) => {
    const server = command ? startedBy(found, command) : found;
    // Before anything runs: what is changed meanwhile is not what was recorded.
    const key = server.snapshotKey();
    const stage = recordingStage(server, { ...host, signal: host.shutdown.signal }, true);
    const { answers, startMs } = await recordAnswers(stage);
    const snapshot = { key, ...answers };
    return { snapshot, startMs, exposed: exposedIn(snapshot, options.mcpServers[name]) };
  });
}

/** What is written to a file may be read by others than who may read the environment. */
function exposedIn(snapshot: Snapshot, config: ServerConfig | undefined): string | undefined {
  return config && exposedVariable(snapshot, config, process.env);
}
