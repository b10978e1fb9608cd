import { randomUUID } from "node:crypto";

import type { SessionInfo } from "../configuration/options.ts";
import type { Host } from "../host.ts";
import { attempt } from "../promises.ts";

/**
 * Tells the operator that a client has come.
 * @returns how to tell that it has left
 */
export function announce(client: Omit<SessionInfo, "id">, host: Host): () => void {
  const { logger, onConnect, onClose } = host;
  // Not the id by which the client is known: who has that one can speak for it.
  const session: SessionInfo = { id: randomUUID(), ...client };
  const { principal: _, ...fields } = session;
  const tell = (listener: Host["onConnect"], message: string): void => {
    logger.info(fields, message);
    attempt(
      () => listener?.(session),
      (err) => logger.error({ err }, "A listener of sessions threw"),
    );
  };
  tell(onConnect, "connected");
  return () => tell(onClose, "disconnected");
}
