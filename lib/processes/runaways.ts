import { setTimeout as delay } from "node:timers/promises";

import { isOutOfDescriptors } from "../descriptors.ts";
import type { Logger } from "../logger.ts";
import { SHOWS_MARKS, killAll, markedProcesses } from "./marks.ts";
import type { Marked } from "./marks.ts";

/** Ends what has left the process group of its server, as daemons do, and would stay behind for ever. */
export interface Runaways {
  /**
   * Resolves when no process with that mark is left that can be found. Calls that come together share one look at the
   * processes of the machine. Never rejects.
   * @param pid of the process that bore the mark first, if it was started lately: older ones need no look
   */
  end(mark: string, pid?: number): Promise<void>;
}

/** Milliseconds between two looks: many times as long as a look, which costs CPU time, but never long. */
const MIN_PAUSE_MS = 20;
const MAX_PAUSE_MS = 500;
const PAUSE_FOR_LOOK = 20;

/**
 * Looks at those that were killed: each may have started another just before, and is there until the system gets to it.
 * No event tells of the end of a process that is not our child.
 */
const MAX_LOOKS = 50;
const LOOK_AGAIN_MS = 20;

export function createRunaways(logger: Logger): Runaways {
  let due = new Map<string, number>();
  let next: Promise<void> | undefined;
  let mayLookAt = 0;
  const look = async (): Promise<void> => {
    // Always later, so that whoever comes now is still part of it.
    await delay(Math.max(0, mayLookAt - performance.now()));
    const marks = due;
    [due, next] = [new Map<string, number>(), undefined];
    const startedAt = performance.now();
    const after = Math.min(...marks.values());
    await endMarked((mark) => marks.has(mark), logger, after).catch((err: unknown) =>
      logger.error({ err }, "Processes that left the group of their server could not be looked for"),
    );
    const lookMs = performance.now() - startedAt;
    mayLookAt = performance.now() + Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, lookMs * PAUSE_FOR_LOOK));
  };
  return {
    end(mark, pid = 0) {
      if (!SHOWS_MARKS) return Promise.resolve();
      due.set(mark, pid);
      return (next ??= look());
    },
  };
}

/**
 * Kills every process with such a mark, and what those start meanwhile. Takes up to a second where one does not end.
 * @param after only what was started after this process, @default all
 * @throws what the system says, if they cannot be looked for
 */
export async function endMarked(
  isDue: (mark: string) => boolean,
  logger: Logger,
  after?: number,
): Promise<void> {
  const pids = new Set<number>();
  for (let looksLeft = MAX_LOOKS; looksLeft > 0; looksLeft -= 1) {
    const found = await dueProcesses(isDue, looksLeft > 1, after);
    if (found && killAll(found) === 0) break;
    for (const { pid } of found ?? []) pids.add(pid);
    await delay(LOOK_AGAIN_MS);
  }
  if (pids.size === 0) return;
  logger.info({ pids: [...pids] }, "Processes that had left the group of their server were ended");
}

/** Undefined where there are no descriptors to look with: somebody may give some back in time. */
async function dueProcesses(
  isDue: (mark: string) => boolean,
  mayLookAgain: boolean,
  after: number | undefined,
): Promise<Marked[] | undefined> {
  try {
    return (await markedProcesses(after)).filter(({ mark }) => isDue(mark));
  } catch (error) {
    if (mayLookAgain && isOutOfDescriptors(error)) return undefined;
    throw error;
  }
}
