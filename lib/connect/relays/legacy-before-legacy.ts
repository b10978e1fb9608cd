import { isRequest, isResponse } from "../../jsonrpc.ts";
import type { Message } from "../../jsonrpc.ts";
import type { Logger } from "../../logger.ts";
import { setMember } from "../../rawjson.ts";
import { createJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import { cancelledBy, isInitialize } from "../messages.ts";
import type { Relay, StdioClient } from "../relay.ts";
import type { LegacyRemote } from "../remote.ts";

export interface LegacyPassing {
  readonly remote: LegacyRemote;
  readonly client: StdioClient;
  readonly logger: Logger;
}

/** Passes everything on as it is, both ways. */
export function createLegacyBeforeLegacy({ remote, client, logger }: LegacyPassing): Relay {
  const journal = createJournal(logger);
  let isOver = false;
  return {
    async receive(message) {
      if (isInitialize(message)) return client.write(withIdOf(message, remote.answer.text));
      note(message, journal);
      await remote.send(message);
    },
    async hear(message) {
      if (isOver) return;
      if (isResponse(message)) journal.end(message);
      await client.write(message.text);
    },
    async close() {
      isOver = true;
    },
  };
}

/** The session was opened by this very request, or by an earlier one that said the same. */
function withIdOf(request: Message, answer: string): string {
  const id = isRequest(request) ? request.value.id : undefined;
  return (JSON.parse(answer) as { readonly id: unknown }).id === id
    ? answer
    : setMember(answer, "id", JSON.stringify(id));
}

function note(message: Message, journal: Journal): void {
  if (isRequest(message)) journal.begin(message);
  const id = cancelledBy(message);
  if (id !== undefined) journal.cancelled(id);
}
