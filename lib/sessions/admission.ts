import { MayflyError } from "../errors.ts";
import type { Host } from "../host.ts";
import { isRequest } from "../jsonrpc.ts";
import type { Message } from "../jsonrpc.ts";

/** Who may still come in. */

/** @param limit of clients at once */
export function tooManySessions(limit: number): MayflyError {
  return new MayflyError("TOO_MANY_SESSIONS", { values: { limit } });
}

/** What runs may need more messages of its client, before all is over. @throws SHUTTING_DOWN for another request */
export function refuseRequests(messages: readonly Message[], { drain }: Host): void {
  if (drain.signal.aborted && messages.some(isRequest)) throw new MayflyError("SHUTTING_DOWN");
}
