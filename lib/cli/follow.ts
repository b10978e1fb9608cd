import { ConfigurationError } from "../configuration/error.ts";
import type { Reading } from "./watch.ts";

/** What is done with the readings of files that are followed. */
export interface Following<Content> {
  /** What is used now. */
  readonly current: Content;
  /** @throws for what cannot work, and changes nothing then */
  readonly apply: (content: Content) => void;
  /** @param isNews also where nothing is different: the reading before was refused */
  readonly onTaken: (before: Content, after: Content, isNews: boolean) => void;
  /** @param error of the reading, or of what was read */
  readonly onRefused: (error: unknown) => void;
}

/** Takes readings over. One that cannot work is reported and changes nothing. */
export function follow<Content>({
  current,
  apply,
  onTaken,
  onRefused,
}: Following<Content>): (reading: Reading<Content>) => void {
  let [now, wasRefused] = [current, false];
  return (reading) => {
    const [before, isNews] = [now, wasRefused];
    try {
      if ("error" in reading) throw reading.error;
      apply(reading.content);
      [now, wasRefused] = [reading.content, false];
    } catch (error) {
      wasRefused = true;
      return onRefused(error);
    }
    onTaken(before, now, isNews);
  };
}

/** Anything but a ConfigurationError is a fault of ours, and its stack tells where. */
export function reasonOf(error: unknown): unknown {
  if (error instanceof ConfigurationError) return error.message;
  return error instanceof Error ? error.stack : String(error);
}
