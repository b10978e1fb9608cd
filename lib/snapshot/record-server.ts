import { ConfigurationError } from "../configuration/error.ts";
import type { HandlerOptions } from "../configuration/options.ts";
import { report } from "../exchange/endings.ts";
import { createHost } from "../host.ts";
import type { Host } from "../host.ts";
import type { Command } from "../resolve.ts";
import type { Server } from "../servers.ts";
import { exposedVariable } from "./exposed.ts";
import type { Snapshot } from "./format.ts";
import { recordAnswers } from "./recorder.ts";
import type { RecordingStage } from "./recorder.ts";

/** A server's snapshot, and how long the server took. */
export interface Recording {
  readonly snapshot: Snapshot;
  /** Milliseconds from the start of a process until it was ready for requests. */
  readonly startMs: number;
}

/**
 * Records what a server answers without being asked to do anything, by real processes: with its variables, its sandbox
 * and its limits, as requests start it. None is left when it is done.
 * @param command runs in place of the configured one; the snapshot is made for the configured one all the same
 * @throws MayflyError with the reason if the server cannot be opened; ConfigurationError, also where its answers hold
 * the value of a variable. What it wrote to stderr goes to `options.logger`
 */
export async function recordServer(
  name: string,
  options: HandlerOptions,
  command?: Command,
): Promise<Recording> {
  const host = createHost({ ...options, snapshot: false });
  const found = host.servers.find(name);
  const server = command ? { ...found, parameters: { ...found.parameters, ...command } } : found;
  // Before anything runs: what is changed meanwhile is not what was recorded.
  const key = server.snapshotKey();
  try {
    const { answers, startMs } = await recordAnswers(stageFor(server, host));
    const snapshot = { key, ...answers };
    refuseExposed(name, snapshot, options);
    return { snapshot, startMs };
  } finally {
    await host.processes.close();
  }
}

/** What is written to a file may be read by others than who may read the environment. */
function refuseExposed(name: string, snapshot: Snapshot, { mcpServers }: HandlerOptions): void {
  const config = mcpServers[name];
  const variable = config && exposedVariable(snapshot, config, process.env);
  if (variable === undefined) return;
  throw new ConfigurationError(
    `mcpServers.${name}: what it lists holds the value of ${variable}, which no file may hold`,
  );
}

function stageFor(server: Server, { processes, shutdown, logger, watch }: Host): RecordingStage {
  return {
    server,
    start: (signal, isSuccessor) => processes.start(server, signal, "", isSuccessor),
    options: { logger, onMessage: (direction, text) => watch(server, direction, text) },
    signal: shutdown.signal,
    parallel: true,
    onFailure: (failure, process) => report(failure, process, server, logger),
  };
}
