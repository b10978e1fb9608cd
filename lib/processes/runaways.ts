import { setTimeout as delay } from "node:timers/promises";

import { isOutOfDescriptors } from "../descriptors.ts";
import type { Logger } from "../logger.ts";
import { SHOWS_MARKS, killAll, markedProcesses } from "./marks.ts";
import type { Marked } from "./marks.ts";
import { olderUpTo } from "./numbers.ts";
import type { Born } from "./numbers.ts";

/** Ends what has left the process group of its server, as daemons do, and would stay behind for ever. */
export interface Runaways {
  /**
   * Resolves when no process with that mark is left that can be found. Calls that come together share one look at the
   * processes of the machine. Never rejects.
   * @param born the process that bore the mark first: older ones need no look, where that can be told
   */
  end(mark: string, born?: Born): Promise<void>;
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
  let due = new Map<string, Born | undefined>();
  let next: Promise<void> | undefined;
  let mayLookAt = 0;
  const look = async (): Promise<void> => {
    // Always later, so that whoever comes now is still part of it.
    await delay(Math.max(0, mayLookAt - performance.now()));
    const marks = due;
    [due, next] = [new Map<string, Born | undefined>(), undefined];
    const startedAt = performance.now();
    await endMarked(
      (mark) => marks.has(mark),
      logger,
      () => olderThanAll([...marks.values()]),
    ).catch((err: unknown) =>
      logger.error({ err }, "Processes that left the group of their server could not be looked for"),
    );
    const lookMs = performance.now() - startedAt;
    mayLookAt = performance.now() + Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, lookMs * PAUSE_FOR_LOOK));
  };
  return {
    end(mark, born) {
      if (!SHOWS_MARKS) return Promise.resolve();
      due.set(mark, born);
      return (next ??= look());
    },
  };
}

/** The number up to which processes are older than all of these; 0 where that cannot be told. */
function olderThanAll(born: readonly (Born | undefined)[]): number {
  return Math.min(...born.map((one) => (one ? olderUpTo(one) : 0)));
}

/**
 * Kills every process with such a mark, and what those start meanwhile. Takes up to a second where one does not end.
 * @param after tells for each look the number above which processes are looked at, @default all
 * @throws what the system says, if they cannot be looked for
 */
export async function endMarked(
  isDue: (mark: string) => boolean,
  logger: Logger,
  after = (): number => 0,
): Promise<void> {
  const pids = new Set<number>();
  for (let looksLeft = MAX_LOOKS; looksLeft > 0; looksLeft -= 1) {
    const found = await dueProcesses(isDue, looksLeft > 1, after());
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
  after: number,
): Promise<Marked[] | undefined> {
  try {
    return (await markedProcesses(after)).filter(({ mark }) => isDue(mark));
  } catch (error) {
    if (mayLookAgain && isOutOfDescriptors(error)) return undefined;
    throw error;
  }
}
