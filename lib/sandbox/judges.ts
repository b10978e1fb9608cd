import { setTimeout as delay } from "node:timers/promises";

import { isAlive } from "../processes/stat.ts";
import type { Laboratory, Observation } from "./observation.ts";

/** What an experiment shows. */
export interface Finding {
  /** Whether it was seen to hold: false also where it could not be tried. */
  readonly holds: boolean;
  /** What was seen. */
  readonly why: string;
}

/** Tells what it shows by what was seen of its program. */
export type Judge = (seen: Observation, laboratory: Laboratory) => Finding | Promise<Finding>;

/** @param what was refused, as in "was refused to …" */
export function refusal(expected: string, what: string): Judge {
  return ({ lines: [said], exit }) =>
    said === expected
      ? { holds: true, why: `a program was refused to ${what} (${expected})` }
      : { holds: false, why: `a program was not refused to ${what} (${said ?? endOf(exit)})` };
}

export function endOf(exit: Observation["exit"]): string {
  return exit?.signal ?? `exit code ${exit?.code}`;
}

/** macOS gives every program a variable of its own. */
const OF_THE_SYSTEM = /^__CF/;

export function judgeEnvironment({ lines, given }: Observation): Finding {
  const more = lines.filter((name) => !given.includes(name) && !OF_THE_SYSTEM.test(name));
  const own = Object.keys(process.env).length;
  return more.length === 0 && lines.length > 0
    ? { holds: true, why: `a program found ${lines.length} variables, of the ${own} that this process has` }
    : { holds: false, why: `a program found ${more.length} variables that it was not given` };
}

/** Milliseconds for a process to go after its SIGKILL. */
const GOING_MS = 2000;
const POLL_MS = 10;

export async function judgeGroup({ lines: [said] }: Observation): Promise<Finding> {
  const pid = Number(said);
  if (!(pid > 1)) return { holds: false, why: "a program could not start another one" };
  const end = performance.now() + GOING_MS;
  while (isAlive(pid) && performance.now() < end) await delay(POLL_MS);
  if (!isAlive(pid)) return { holds: true, why: "what a program had started was ended with it" };
  process.kill(pid, "SIGKILL");
  return { holds: false, why: "what a program had started outlived it" };
}
