import { ANSWERED } from "./answered.ts";
import { FAILED } from "./failed.ts";
import type { Kind } from "./job.ts";
import { LEFT } from "./left.ts";
import { QUESTIONS } from "./questions.ts";
import { REFUSED } from "./refused.ts";
import { SESSIONS } from "./sessions.ts";

/** Every way in which a request can end. */
export const KINDS: Readonly<Record<string, Kind>> = {
  ...ANSWERED,
  ...FAILED,
  ...LEFT,
  ...QUESTIONS,
  ...SESSIONS,
  ...REFUSED,
};

/** The names of the kinds, each as often as it weighs. */
export const WEIGHTED: readonly string[] = Object.entries(KINDS).flatMap(([name, { weight }]) =>
  Array.from({ length: weight }, () => name),
);
