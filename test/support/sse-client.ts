import assert from "node:assert/strict";
import type { TestContext } from "node:test";

import { until, within } from "./deadline.ts";
import { openStream } from "./live-stream.ts";
import type { LiveStream, Message } from "./live-stream.ts";
import { call, initialize, notification, post } from "./rpc.ts";
import type { CallOptions, Id, InitializeOptions, Params, RequestBody } from "./rpc.ts";

/** A client of HTTP+SSE that shows what comes. Every wait has a deadline. Source: 2024-11-05/basic/transports. */
export interface SseClient extends LiveStream {
  /** What the first event says. */
  readonly reference: string;
  /** Where that leads. */
  readonly endpoint: URL;
  post(body: object | string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Posts it, which must be accepted. */
  send(body: object): Promise<void>;
  /** Posts a request; what answers it on the stream. */
  ask(body: RequestBody): Promise<Message>;
  /** The handshake; the answer to initialize. */
  initialize(options?: InitializeOptions): Promise<Message>;
  /** A tools/call under an id that was not used before, if none is given. */
  call(name: string, args?: Params, options?: CallOptions): Promise<Message>;
}

export interface SseOptions {
  /** With its parameters. @default "/sse" */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called with each message as it comes. */
  readonly onMessage?: (message: Message) => void;
}

const WAIT_MS = 30_000;

/** Opens a stream, which is broken off after the test. */
export async function connectSse(
  t: TestContext,
  url: string,
  { path = "/sse", headers = {}, onMessage }: SseOptions = {},
): Promise<SseClient> {
  const base = new URL(path, url);
  const stream = await openStream(
    t,
    base,
    { headers: { accept: "text/event-stream", ...headers } },
    onMessage,
  );
  assert.equal(stream.response.status, 200);
  const first = await until(() => stream.frames[0], { withinMs: WAIT_MS, label: "the event endpoint" });
  assert.equal(first.event, "endpoint");
  return clientOf(stream, first.data ?? "", base);
}

function clientOf(stream: LiveStream, reference: string, base: URL): SseClient {
  const endpoint = new URL(reference, base);
  let lastId = 1000;
  const client: SseClient = {
    ...stream,
    reference,
    endpoint,
    post: (body, headers) =>
      within(fetch(endpoint, post(body, headers)), WAIT_MS, `the answer to ${JSON.stringify(body)}`),
    async send(body) {
      const response = await client.post(body);
      assert.equal(response.status, 202, await response.text());
    },
    async ask(body) {
      await client.send(body);
      return stream.take(answering(body.id), `the answer to ${body.method} ${JSON.stringify(body.id)}`);
    },
    async initialize(options) {
      const answer = await client.ask(initialize(options));
      await client.send(notification("notifications/initialized"));
      return answer;
    },
    call: (name, args, { id = (lastId += 1), ...options } = {}) =>
      client.ask(call(name, args, { id, ...options })),
  };
  return client;
}

/** Matches the answer to a request. */
export function answering(id: Id): (message: Message) => boolean {
  return (message) => message.id === id && message.method === undefined;
}

/** Matches a notification or request of the server. */
export function saying(method: string): (message: Message) => boolean {
  return (message) => message.method === method;
}
