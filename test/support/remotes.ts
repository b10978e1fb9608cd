import type { TestContext } from "node:test";

import type { LegacyRemote, ModernRemote } from "../../lib/connect/remote.ts";
import { isRequest, isResponse } from "../../lib/jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../lib/jsonrpc.ts";
import { onAbort } from "../../lib/lifetime.ts";
import { messageOf } from "./relay-client.ts";
import { requestOf, startProgram } from "./stdio-program.ts";
import type { ProgramParameters } from "./stdio-program.ts";

/** Remotes that are stdio servers at a closer look, with all that was sent to them. */

export interface Sent {
  readonly sent: readonly Message[];
}

const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** A server without a handshake: what a real one says in a stream of its own, this one has told apart. */
export async function modernRemoteOf(
  t: TestContext,
  parameters: ProgramParameters,
): Promise<ModernRemote & Sent> {
  const streams = new Map<Message<RequestValue>, (message: Message) => void>();
  const sent: Message[] = [];
  const program = startProgram(t, parameters, (message) => {
    const about = isResponse(message)
      ? [...streams.keys()].find(({ value }) => value.id === message.value.id)
      : requestOf(message, [...streams.keys()]);
    if (about) streams.get(about)?.(message);
  });
  const send = (text: string): void => {
    sent.push(messageOf(text));
    program.send(text);
  };
  const discovered = program.answer("discover");
  const params = { _meta: ENVELOPE };
  program.send(JSON.stringify({ jsonrpc: "2.0", id: "discover", method: "server/discover", params }));
  const { value } = await discovered;
  return {
    era: "modern",
    discovered: JSON.stringify((value as ResponseValue).result),
    sent,
    request: (request, signal) =>
      streamOf(signal, (put) => {
        streams.set(request, put);
        send(request.text);
        return () => {
          streams.delete(request);
          if (signal.aborted) send(cancelledText(request));
        };
      }),
    notify: async ({ text }) => send(text),
    close: async () => undefined,
  };
}

function cancelledText({ value }: Message<RequestValue>): string {
  const params = { requestId: value.id };
  return JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
}

/** What is put into it, up to the answer. @param begin returns what to do at the end */
export async function* streamOf(
  signal: AbortSignal,
  begin: (put: (message: Message) => void) => () => void,
): AsyncGenerator<Message, void, void> {
  const waiting: Message[] = [];
  let wake = (): void => undefined;
  const end = begin((message) => {
    waiting.push(message);
    wake();
  });
  const off = onAbort(signal, () => wake());
  try {
    while (!signal.aborted) {
      const message = waiting.shift();
      if (message) yield message;
      if (message && isResponse(message)) return;
      if (waiting.length === 0 && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    off();
    end();
  }
}

export interface LegacyOptions {
  readonly initialize: Message<RequestValue>;
  /** Whether messages come on the stream of the request that they are about. */
  readonly hasStreams: boolean;
  readonly hear: (message: Message, about: Message<RequestValue> | undefined) => Promise<void>;
}

/** A session with a server of the older revisions. */
export async function legacyRemoteOf(
  t: TestContext,
  parameters: ProgramParameters,
  { initialize, hasStreams, hear }: LegacyOptions,
): Promise<LegacyRemote & Sent> {
  const inFlight = new Map<unknown, Message<RequestValue>>();
  const sent: Message[] = [];
  const program = startProgram(t, parameters, (message) => {
    if (isResponse(message)) inFlight.delete(message.value.id);
    return hear(message, hasStreams ? requestOf(message, [...inFlight.values()]) : undefined);
  });
  const answer = program.answer(initialize.value.id as string);
  program.send(initialize.text);
  return {
    era: "legacy",
    answer: (await answer) as Message<ResponseValue>,
    sent,
    async send(message) {
      sent.push(message);
      if (isRequest(message)) inFlight.set(message.value.id, message);
      program.send(message.text);
    },
    close: async () => undefined,
  };
}
