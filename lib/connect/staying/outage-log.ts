import type { MayflyError } from "../../errors.ts";
import type { Stay } from "./stay.ts";

/** What the log says of a remote that goes and comes back. */

/** Why a remote is away, in a few words: an error is a whole sentence, and has the reason in it in parentheses. */
export function reasonOf({ code, message }: MayflyError): string {
  if (code === "REMOTE_SESSION_LOST") return "it has forgotten the session";
  const isAbout = code === "REMOTE_LOST" || code === "REMOTE_UNREACHABLE";
  return (isAbout && /\((.*)\)/.exec(message)?.[1]) || message;
}

/** One line when it goes, and one when it is back, however many attempts lie between. */
export function tellDown(reason: string, all: Stay): void {
  if (all.downSince !== undefined) return;
  all.downSince = performance.now();
  all.logger.warn({}, `The remote server ${all.name} is lost (${reason}): Mayfly keeps trying`);
}

/** Milliseconds in which a server that is being stopped may still answer on connections that it has. */
const STOPPING_MS = 1000;

/** The remote has said something: it may be back. */
export function tellBack(all: Stay): void {
  if (performance.now() - (all.downSince ?? 0) >= STOPPING_MS) tellUp(all);
}

export function tellUp(all: Stay): void {
  if (all.downSince === undefined) return;
  all.downSince = undefined;
  all.logger.info({}, `The remote server ${all.name} is back`);
}
