import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfigurationError } from "../configuration/error.ts";
import type { ServerConfig } from "../configuration/options.ts";
import { experiments } from "./experiments.ts";
import type { Experiment, RungName } from "./experiments.ts";
import type { Finding } from "./judges.ts";
import { observe } from "./observation.ts";
import type { Laboratory } from "./observation.ts";

/** Something that keeps a server in bounds, and whether it holds on this host. */
export interface Rung extends Finding {
  readonly rung: RungName;
}

export interface FindRungsOptions {
  /** An image on this host that has the program `true`, for docker and podman. @default none: they are not tried */
  readonly image?: string;
  /** Milliseconds for each experiment, which all run at the same time. @default 20000 */
  readonly timeoutMs?: number;
}

/**
 * Finds out which rungs of the sandbox ladder hold on this host, by an experiment for each: a program that does what
 * the rung should prevent. What was not seen does not hold. Takes two seconds on an idle machine, and leaves nothing.
 */
export async function findRungs({ image, timeoutMs = 20_000 }: FindRungsOptions = {}): Promise<Rung[]> {
  const folder = await mkdtemp(join(tmpdir(), "mayfly-rungs-"));
  try {
    await writeFile(join(folder, "closed"), "");
    const all = experiments(image).map((experiment) => tried(experiment, { folder, timeoutMs }));
    return await Promise.all(all);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** An experiment that cannot be made shows nothing, and must not keep the others from showing something. */
async function tried({ rung, config, judge }: Experiment, laboratory: Laboratory): Promise<Rung> {
  const failed = (why: string): Rung => ({ rung, holds: false, why });
  try {
    const seen = await observe(config, laboratory);
    const { error } = seen.exit ?? {};
    if (error) return failed(`${programOf(config)} could not be started (${error.code})`);
    if (!seen.exit) return failed(`nothing was seen within ${laboratory.timeoutMs} milliseconds`);
    return { rung, ...(await judge(seen, laboratory)) };
  } catch (error) {
    return failed(reasonOf(error));
  }
}

function programOf({ command, wrapper = [] }: ServerConfig): string {
  return wrapper[0] ?? command;
}

/** Without the place in a configuration that nobody has written. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  return error instanceof ConfigurationError ? message.replace(/^\S+: /, "") : message;
}
