import { toMayflyError } from "../../errors.ts";
import { isObject, messageOf } from "../../jsonrpc.ts";
import type { RemoteSession } from "../remote.ts";
import { askOwn, deliver } from "./delivering.ts";
import { tellUp } from "./outage-log.ts";
import type { Generation, Stay } from "./stay.ts";

/**
 * Tells a new session what the one before knew, and the client what it may have missed. What the client sends meanwhile
 * waits, and comes after it in its order.
 */
export async function restore(session: RemoteSession, generation: Generation, all: Stay): Promise<void> {
  warnOfOtherRevision(session, all);
  await beginAgain(session, all);
  for (const text of all.standing.requests()) {
    if (generation.isForgotten) return;
    await askOwn(text, session, all);
  }
  if (generation.isForgotten) return;
  tellUp(all);
  // Never rejects.
  for (const text of all.standing.changes(session.answer)) void all.hear(messageOf(text), undefined);
  for (let next = all.waiting.next(); next; next = all.waiting.next()) {
    await deliver(next, session, all);
    if (generation.isForgotten) return;
  }
  all.session = session;
}

/** Before the client has said so itself, nobody does. @throws REMOTE_UNREACHABLE, REMOTE_LOST */
async function beginAgain(session: RemoteSession, { initialized, generation, logger }: Stay): Promise<void> {
  try {
    if (initialized) await session.send(initialized);
  } catch (error) {
    const { code, message } = toMayflyError(error);
    // That it is lost, it tells itself.
    if (generation.isForgotten || code === "REMOTE_SESSION_LOST") return;
    if (code === "REMOTE_UNREACHABLE" || code === "REMOTE_LOST") throw error;
    logger.debug({ error: message }, "The remote server did not take a message");
  }
}

function warnOfOtherRevision({ answer }: RemoteSession, { logger, revision }: Stay): void {
  const now = isObject(answer.value.result) ? answer.value.result["protocolVersion"] : undefined;
  if (now === revision) return;
  logger.warn({ before: revision, now }, "The remote server speaks another protocol revision than before");
}
