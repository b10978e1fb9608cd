import { errorText, toMayflyError } from "../errors.ts";
import type { MayflyError } from "../errors.ts";
import { idOf } from "../jsonrpc.ts";
import { ClientGone } from "../lifetime.ts";
import { LineTooLong } from "../lines.ts";
import type { Reply } from "./order.ts";
import { lineTooLong } from "../reasons.ts";
import { mask } from "../secrets.ts";
import { finish } from "./turns.ts";
import type { Exchange } from "./turns.ts";

/** 2025-11-25/basic/utilities/cancellation; initialize must not be cancelled. */
export function abandon({ turns, current, lifetime, held }: Exchange): void {
  // The end of this POST is not the end of a process that waits for the next one.
  if (held) return;
  const reason = JSON.stringify((lifetime.signal.reason as Error).message || "The client has gone");
  for (const { request, serverId } of turns.values()) {
    const params = `{"requestId":${serverId},"reason":${reason}}`;
    const cancelled = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`;
    if (request.value.method !== "initialize") void current?.send(cancelled);
  }
  current?.process.end();
}

/** Whatever went wrong is the answer to every request that has none. Nobody is answered who has gone. */
export function* fail(error: unknown, all: Exchange): Generator<Reply, void, void> {
  const failure = failureOf(error, all);
  if (!failure) return;
  if (failure.reason !== undefined || failure.code === "INTERNAL") report(failure, all);
  finish(all);
  for (const request of all.unanswered) {
    const text = errorText(failure, idOf(request));
    const status = statusOf(failure, request.value.method, all);
    yield { kind: "response", text, outcome: failure.reason ?? "error", status };
  }
}

/** @returns undefined if the client has gone */
function failureOf(error: unknown, { lifetime, order }: Exchange): MayflyError | undefined {
  const { signal } = lifetime;
  const cause: unknown = signal.aborted ? signal.reason : error;
  if (cause instanceof ClientGone) return undefined;
  return cause instanceof LineTooLong
    ? lineTooLong(order.server, order.maxMessageBytes)
    : toMayflyError(cause);
}

/**
 * JSON-RPC errors of legacy requests travel with 200. A modern client that finds no server behind `server/discover`
 * must not take it for a legacy one: 500.
 */
function statusOf({ reason, status }: MayflyError, method: string, { order }: Exchange): number {
  if (order.client.era === "legacy") return 200;
  return method === "server/discover" && reason !== undefined ? Math.max(status, 500) : status;
}

/** When the process is gone: only then its last words are complete. */
function report(failure: MayflyError, { current, logger, order: { server } }: Exchange): void {
  const process = current?.process;
  void (process?.gone ?? Promise.resolve()).then(() => {
    const stderr = mask(process?.child.stderrTail() ?? "", server.secrets);
    const cause = failure.cause instanceof Error ? mask(failure.cause.message, server.secrets) : undefined;
    logger.warn({ server: server.name, reason: failure.reason, cause, stderr }, failure.message);
  });
}
