import type { Content } from "../jsonrpc.ts";
import type { Logger } from "../logger.ts";
import { maskedStart } from "../secrets.ts";
import type { Server } from "../servers.ts";

/** Told of every line of a server, and what it holds. */
type StrayReporter = (line: string, content: Content | undefined) => void;

/** The first stray shows its operator that the program prints where only messages belong; more of them are noise. */
export function strayReporter(server: Server, logger: Logger): StrayReporter {
  let isTold = false;
  return (line, content) => {
    if (content ? content.flaws.length === 0 : line.trim() === "") return;
    if (isTold) {
      logger.debug({ server: server.name, characters: line.length }, "Another line that is not JSON-RPC");
    } else if (content || BEGINS_AS_JSON.test(line)) {
      const flaw = content?.flaws[0] ?? NOT_VALID;
      logger.warn({ server: server.name, flaw, characters: line.length }, NO_MESSAGE);
    } else tellText(line, server, logger);
    isTold = true;
  };
}

/** It may be an answer all the same: some programs write NaN, or spread a message over several lines. */
const BEGINS_AS_JSON = /^[\s[]*\{/;
const NOT_VALID = "it is not valid JSON";
/** Without the text, which may be an answer, and quote what was asked. */
const NO_MESSAGE = "The server wrote to stdout what is no message of MCP: it is left out";

/** Characters of a line in the log: enough to find in the program what printed it. */
const MAX_SHOWN = 200;

function tellText(text: string, { name, secrets }: Server, logger: Logger): void {
  const shown = maskedStart(text.trimEnd(), secrets, MAX_SHOWN);
  const line = text.length > MAX_SHOWN ? `${shown}… (${text.length} characters)` : shown;
  logger.warn(
    { server: name, line },
    "The server wrote a line to stdout that is not JSON-RPC: it is left out",
  );
}
