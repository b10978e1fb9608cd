import { isRequest, isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { setMember } from "../../rawjson.ts";
import { cancelledBy, isInitialize, keyOf } from "../messages.ts";
import type { RelayOptions, SessionRelay } from "../relay.ts";
import type { LegacyRemote } from "../remote.ts";
import { begun, logEnd } from "./request-log.ts";
import type { Begun } from "./request-log.ts";

/** Passes everything on as it is, both ways. */
export function createLegacyBeforeLegacy({
  remote,
  client,
  logger,
}: RelayOptions<LegacyRemote>): SessionRelay {
  const unanswered: Unanswered = new Map();
  const end = (key: string, outcome: string): void => {
    const request = unanswered.get(key);
    if (request) logEnd(request, outcome, logger);
    unanswered.delete(key);
  };
  let isOver = false;
  return {
    async receive(message) {
      if (isInitialize(message)) return client.write(withIdOf(message, remote.answer.text));
      if (isRequest(message)) note(message, unanswered);
      const cancelled = cancelledBy(message);
      if (cancelled !== undefined) end(cancelled, "cancelled");
      await remote.send(message);
    },
    async hear(message) {
      if (isOver) return;
      if (isResponse(message)) end(keyOf(message), message.value.error === undefined ? "ok" : "error");
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

/** By their keys. */
type Unanswered = Map<string, Begun>;

/** Requests that are remembered for the log, which says nothing of older ones that nobody has answered yet. */
const MAX_UNANSWERED = 10_000;

function note(request: Message<RequestValue>, unanswered: Unanswered): void {
  const [oldest] = unanswered.keys();
  if (unanswered.size >= MAX_UNANSWERED && oldest !== undefined) unanswered.delete(oldest);
  unanswered.set(keyOf(request), begun(request));
}
