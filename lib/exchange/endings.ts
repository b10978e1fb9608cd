import { errorText, toMayflyError } from "../errors.ts";
import type { MayflyError } from "../errors.ts";
import { TooManyValues, idOf } from "../jsonrpc.ts";
import { ClientGone } from "../lifetime.ts";
import { LineTooLong, OutputTooLong } from "../lines.ts";
import type { Logger } from "../logger.ts";
import type { Reply } from "./order.ts";
import type { OwnProcess } from "../processes.ts";
import { lineTooLong, tooManyValues, tooMuchOutput } from "../reasons.ts";
import { mask, maskTail } from "../secrets.ts";
import type { Server } from "../servers.ts";
import { finish } from "./turns.ts";
import type { Exchange } from "./turns.ts";

/** 2025-11-25/basic/utilities/cancellation; initialize must not be cancelled. */
export function abandon({ turns, current, lifetime, held }: Exchange): void {
  // The end of this POST is not the end of a process that waits for the next one.
  if (held) return;
  const reason = (lifetime.signal.reason as Error).message || CLIENT_GONE;
  for (const { request, serverId } of turns.values()) {
    if (request.value.method !== "initialize") void current?.send(cancelledText(serverId, reason));
  }
  current?.process.end();
}

/** Why a request is cancelled whose client is not there any more. */
export const CLIENT_GONE = "The client has gone";

/** @param id the raw id of the request */
export function cancelledText(id: string, reason: string): string {
  const params = `{"requestId":${id},"reason":${JSON.stringify(reason)}}`;
  return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`;
}

/** Whatever went wrong is the answer to every request that has none. Nobody is answered who has gone. */
export function* fail(error: unknown, all: Exchange): Generator<Reply, void, void> {
  const { lifetime, order, current, logger } = all;
  const failure = failureOf(error, lifetime.signal, order.server);
  if (!failure) return;
  if (failure.reason !== undefined || failure.code === "INTERNAL") {
    report(failure, current?.process, order.server, logger);
  }
  finish(all);
  for (const request of all.unanswered) {
    const text = errorText(failure, idOf(request));
    const status = statusOf(failure, request.value.method, all);
    const headers = status === failure.status ? failure.headers : {};
    yield { kind: "response", text, outcome: failure.reason ?? "error", status, headers };
  }
}

/**
 * What a fault is to the client of a request.
 * @param signal that may have caused it
 * @returns undefined if the client has gone
 */
export function failureOf(error: unknown, signal: AbortSignal, server: Server): MayflyError | undefined {
  const cause: unknown = signal.aborted ? signal.reason : error;
  if (cause instanceof ClientGone) return undefined;
  if (cause instanceof LineTooLong) return lineTooLong(server, cause.limitBytes);
  if (cause instanceof OutputTooLong) return tooMuchOutput(server);
  return cause instanceof TooManyValues ? tooManyValues(server) : toMayflyError(cause);
}

/**
 * JSON-RPC errors of legacy requests travel with 200. A modern client that finds no server behind `server/discover`
 * must not take it for a legacy one: 500.
 */
function statusOf({ reason, status }: MayflyError, method: string, { order }: Exchange): number {
  if (order.client.era === "legacy") return 200;
  return method === "server/discover" && reason !== undefined ? Math.max(status, 500) : status;
}

/** Logs a failure when the process has ended: only then its last words are complete. */
export function report(
  failure: MayflyError,
  process: OwnProcess | undefined,
  server: Server,
  logger: Logger,
): void {
  void (process?.child.end() ?? Promise.resolve()).then(() => {
    const stderr = maskTail(process?.child.stderrTail() ?? "", server.secrets);
    const cause = failure.cause instanceof Error ? mask(failure.cause.message, server.secrets) : undefined;
    // A refused handshake is told in the server's own words.
    const message = mask(failure.message, server.secrets);
    logger.warn({ server: server.name, reason: failure.reason, cause, stderr }, message);
  });
}
