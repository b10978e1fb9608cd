import type { Relay, StdioClient } from "../../lib/connect/relay.ts";
import { isNotification, isRequest, isResponse } from "../../lib/jsonrpc.ts";
import type { Message, MessageValue, NotificationValue, RequestValue } from "../../lib/jsonrpc.ts";
import { deferred } from "../../lib/promises.ts";
import { until, within } from "./deadline.ts";
import type { Answer } from "./modern.ts";
import type { Id } from "./rpc.ts";

/** The client's end of a relay: what it was written, and ways to wait for it. Every wait has a deadline. */
export interface RelayClient {
  /** May be replaced. */
  write: StdioClient["write"];
  readonly written: readonly Message[];
  use(relay: Relay): void;
  /** Gives the relay a message. */
  say(message: object | string): Promise<void>;
  /** Gives the relay a request, and waits for its answer. */
  ask(request: { readonly id: Id } & object): Promise<Answer>;
  answerTo(id: Id): Promise<Answer>;
  /** The text of the answer, as it was written. */
  textFor(id: Id): Promise<string>;
  /** The first notification of that method from that place on. */
  told(method: string, from?: number): Promise<NotificationValue>;
  /** The first request of that method from that place on. */
  asked(method: string, from?: number): Promise<RequestValue>;
  notifications(method: string): readonly NotificationValue[];
}

const WAIT_MS = 15_000;

export function messageOf<Value extends MessageValue = MessageValue>(
  message: object | string,
): Message<Value> {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  return { text, value: JSON.parse(text) as Value };
}

export function createRelayClient(): RelayClient {
  const written: Message[] = [];
  const { promise: relay, resolve: use } = deferred<Relay>();
  const wait = <Found>(find: () => Found | undefined, what: string): Promise<NonNullable<Found>> =>
    until(find, {
      withinMs: WAIT_MS,
      label: () => `${what}; written: ${written.map(({ text }) => text.slice(0, 300)).join("\n")}`,
    }) as Promise<NonNullable<Found>>;
  const response = (id: Id): Promise<Message> =>
    wait(
      () => written.find((message) => isResponse(message) && message.value.id === id),
      `an answer to ${id}`,
    );
  const client: RelayClient = {
    written,
    write: async (text) => void written.push(messageOf(text)),
    use,
    say: async (message) => within((await relay).receive(messageOf(message)), WAIT_MS, "room"),
    async ask(request) {
      await client.say(request);
      return client.answerTo(request.id);
    },
    answerTo: async (id) => (await response(id)).value as Answer,
    textFor: async (id) => (await response(id)).text,
    told: (method, from = 0) =>
      wait(
        () =>
          written
            .slice(from)
            .filter(isNotification)
            .find(({ value }) => value.method === method)?.value,
        method,
      ),
    asked: (method, from = 0) =>
      wait(
        () =>
          written
            .slice(from)
            .filter(isRequest)
            .find(({ value }) => value.method === method)?.value,
        method,
      ),
    notifications: (method) =>
      written
        .filter(isNotification)
        .map(({ value }) => value)
        .filter((value) => value.method === method),
  };
  return client;
}
