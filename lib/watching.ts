import type { HandlerOptions } from "./configuration/options.ts";
import type { Logger } from "./logger.ts";
import { attempt } from "./promises.ts";
import { maskedStart } from "./secrets.ts";
import type { Server } from "./servers.ts";

/** Is shown every message between Mayfly and a server. Never throws: what only watches must not change the answer. */
export type Watch = (server: Pick<Server, "name" | "secrets">, direction: "in" | "out", text: string) => void;

/** Characters of a message in the log. */
const MAX_SHOWN = 4000;

/** Shows messages to the operator's observer as they are, and to the log with secrets masked. */
export function createWatch(
  { onMessage, logMessages = false }: Pick<HandlerOptions, "onMessage" | "logMessages">,
  logger: Logger,
): Watch {
  return (server, direction, text) => {
    attempt(
      () => onMessage?.(server.name, direction, text),
      (err) => logger.error({ err }, "onMessage threw"),
    );
    if (logMessages) logMessage(server, direction, text, logger);
  };
}

function logMessage(
  { name, secrets }: Pick<Server, "name" | "secrets">,
  direction: "in" | "out",
  text: string,
  logger: Logger,
): void {
  const shown = maskedStart(text, secrets, MAX_SHOWN);
  const message = text.length > MAX_SHOWN ? `${shown}… (${text.length} characters)` : shown;
  logger.debug(
    { server: name, direction: direction === "in" ? "to server" : "from server", message },
    "message",
  );
}
