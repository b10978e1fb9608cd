import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import { MayflyError, errorText, toMayflyError } from "../../errors.ts";
import { idOf, isNotification, isRequest, isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import type { Logger } from "../../logger.ts";
import { createJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import { cancelledBy } from "../messages.ts";
import type { Relay, StdioClient } from "../relay.ts";
import type { ModernRemote } from "../remote.ts";

export interface ModernPassing {
  readonly remote: ModernRemote;
  readonly client: StdioClient;
  readonly logger: Logger;
}

/** Requests without an answer, subscriptions among them. Each has a connection of its own. */
const MAX_IN_FLIGHT = 1000;

/**
 * Passes everything on as it is: a POST for each request, whatever else is in flight. A request that the client cancels
 * loses its stream, which tells the server. Source: 2026-07-28/basic/transports/streamable-http, Cancellation.
 */
export function createModernBeforeModern({ remote, client, logger }: ModernPassing): Relay {
  const relaying: Relaying = { remote, client, logger, journal: createJournal(logger), inFlight: new Map() };
  return {
    async receive(message) {
      if (isRequest(message)) return begin(message, relaying);
      const cancelled = cancelledBy(message);
      if (cancelled !== undefined) cancel(cancelled, relaying);
      else if (isNotification(message)) await notify(message, relaying);
      else logger.debug({}, "An answer of the client to nothing: dropped");
    },
    async hear() {
      throw new Error("a modern remote says nothing but in answer");
    },
    async close() {
      const running = [...relaying.inFlight.values()];
      for (const id of relaying.inFlight.keys()) cancel(id, relaying);
      await Promise.all(running.map(({ done }) => done));
    },
  };
}

interface Relaying extends ModernPassing {
  readonly journal: Journal;
  readonly inFlight: Map<RequestId, Running>;
}

interface Running {
  readonly controller: AbortController;
  done: Promise<void>;
}

/** Resolves at once: no request holds up another. */
async function begin(request: Message<RequestValue>, relaying: Relaying): Promise<void> {
  const { id, method } = request.value;
  const { inFlight, client } = relaying;
  const refuse = (error: MayflyError): Promise<void> => client.write(errorText(error, idOf(request)));
  if (inFlight.has(id)) return refuse(new MayflyError("ID_IN_USE"));
  if (inFlight.size >= MAX_IN_FLIGHT) return refuse(new MayflyError("SESSION_FULL", { values: { method } }));
  const running: Running = { controller: new AbortController(), done: Promise.resolve() };
  inFlight.set(id, running);
  relaying.journal.begin(request);
  running.done = relay(request, running, relaying);
}

async function relay(request: Message<RequestValue>, running: Running, relaying: Relaying): Promise<void> {
  const { id } = request.value;
  const { client, journal, inFlight } = relaying;
  const { signal } = running.controller;
  try {
    await pass(request, signal, relaying);
  } catch (error) {
    if (signal.aborted) return;
    const failure = failureOf(error, relaying);
    journal.end({ text: "", value: { id, error: failure } });
    await client.write(errorText(failure, idOf(request)));
  } finally {
    // The client may have cancelled it, and used its id again.
    if (inFlight.get(id) === running) inFlight.delete(id);
  }
}

/** @throws MayflyError in place of an answer */
async function pass(
  request: Message<RequestValue>,
  signal: AbortSignal,
  { remote, client, journal, inFlight }: Relaying,
): Promise<void> {
  const { id, method } = request.value;
  for await (const message of remote.request(request, signal)) {
    if (signal.aborted) return;
    if (isResponse(message)) {
      journal.end(message);
      // The client may use the id again as soon as it has the answer.
      inFlight.delete(id);
      return client.write(message.text);
    }
    await client.write(message.text);
  }
  signal.throwIfAborted();
  throw new MayflyError("REMOTE_LOST", { values: { detail: "its answer ended too early", method } });
}

function failureOf(error: unknown, { logger }: Relaying): MayflyError {
  const failure = toMayflyError(error);
  if (failure.code === "INTERNAL") logger.error({ err: error }, "An error inside Mayfly");
  return failure;
}

function cancel(id: RequestId, { inFlight, journal }: Relaying): void {
  inFlight.get(id)?.controller.abort();
  inFlight.delete(id);
  journal.cancelled(id);
}

/** Nobody waits for what becomes of a notification. */
async function notify(message: Message, { remote, logger }: Relaying): Promise<void> {
  if (!("notify" in remote)) logger.debug({}, "A notification that the remote has no way for: dropped");
  await (remote as { notify?: (message: Message) => Promise<void> }).notify?.(message);
}
