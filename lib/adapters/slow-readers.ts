import type { Server, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";

import type { RequestContext } from "../incoming.ts";
import type { Logger } from "../logger.ts";
import type { CompleteLimits } from "./http-limits.ts";

/** An answer that is being sent. */
interface Answer {
  readonly outgoing: ServerResponse;
  /** Of what waits in the core. */
  readonly waiting: (() => number)[];
  /** Bytes that the client's connection had taken at the last look. */
  taken: number;
  /** How many it has taken between the last two looks. */
  progress: number;
  /** Looks in a row without progress, though something waited. */
  stalls: number;
}

/** Where an answer reports what waits for its client. */
export type Reporting = (outgoing: ServerResponse) => Required<Pick<RequestContext, "unsent">>;

/** Milliseconds between two looks, at most. */
const LOOK_MS = 1000;

/**
 * Cuts off the clients that do not read their answers: one that takes nothing for `stallTimeoutMs`, and, when too much
 * waits for all of them together, those for whom the most waits. Idle streams have nothing that waits.
 */
export function cutSlowReaders(
  server: Server,
  { stallTimeoutMs, maxUnsentBytes }: Pick<CompleteLimits, "stallTimeoutMs" | "maxUnsentBytes">,
  logger: Logger,
): Reporting {
  const answers = new Set<Answer>();
  const everyMs = Math.min(LOOK_MS, Math.ceil(stallTimeoutMs / 4));
  // Counted and not measured: a host that was busy itself must not take that for the fault of its clients.
  const maxStalls = Math.ceil(stallTimeoutMs / everyMs);
  const cut = (answer: Answer, reason: string): void => {
    // Now, and not when its end is known: it would be cut for another reason too.
    answers.delete(answer);
    const unsentBytes = unsentOf(answer);
    logger.info({ unsentBytes, reason }, "A client that does not read its answer was cut off");
    reset(answer);
  };
  const lookAtAll = (): void => {
    for (const answer of answers) look(answer);
    for (const answer of answers) if (answer.stalls > maxStalls) cut(answer, "it took nothing");
    for (const answer of tooMany(answers, maxUnsentBytes)) cut(answer, "too much waits");
  };
  // Not before: a server that cannot listen is never closed.
  server.once("listening", () => {
    const timer = setInterval(lookAtAll, everyMs);
    timer.unref();
    server.once("close", () => clearInterval(timer));
  });
  return (outgoing) => {
    const answer: Answer = { outgoing, waiting: [], taken: 0, progress: 0, stalls: 0 };
    answers.add(answer);
    outgoing.once("close", () => answers.delete(answer));
    return { unsent: (bytes) => void answer.waiting.push(bytes) };
  };
}

function look(answer: Answer): void {
  const taken = takenOf(answer);
  answer.progress = taken - answer.taken;
  answer.taken = taken;
  answer.stalls = answer.progress > 0 || unsentOf(answer) === 0 ? 0 : answer.stalls + 1;
}

/** Large answers go out in pieces (lib/pieces.ts), so this grows as long as the client reads. */
function takenOf({ outgoing: { socket } }: Answer): number {
  return socket ? socket.bytesWritten - socket.writableLength : 0;
}

function unsentOf({ outgoing, waiting }: Answer): number {
  return waiting.reduce((sum, bytes) => sum + bytes(), outgoing.writableLength);
}

/** Who must go for the others: whoever reads nothing before whoever reads slowly, who is spared for up to twice as much. */
function tooMany(answers: ReadonlySet<Answer>, maxBytes: number): Answer[] {
  const sized = [...answers].map((answer) => ({ answer, bytes: unsentOf(answer) }));
  let total = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= maxBytes) return [];
  sized.sort((a, b) => a.answer.progress - b.answer.progress || b.bytes - a.bytes);
  return sized.flatMap(({ answer, bytes }) => {
    const limit = answer.stalls > 0 ? maxBytes : 2 * maxBytes;
    if (total <= limit || bytes === 0) return [];
    total -= bytes;
    return [answer];
  });
}

/** The system would keep what it has taken over from us, and go on trying to send it, if the connection ended otherwise. */
function reset({ outgoing }: Answer): void {
  const { socket } = outgoing;
  if (socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
  else outgoing.destroy();
}
