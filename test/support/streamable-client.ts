import assert from "node:assert/strict";
import type { TestContext } from "node:test";

import { within } from "./deadline.ts";
import { openStream } from "./live-stream.ts";
import type { LiveStream, Message } from "./live-stream.ts";
import { call, initialize, notification, post } from "./rpc.ts";
import type { CallOptions, InitializeOptions, Params, RequestBody } from "./rpc.ts";
import { answering } from "./sse-client.ts";

type Headers = Readonly<Record<string, string>>;

/** A session of streamable HTTP that shows what comes. Every wait has a deadline. Source: 2025-11-25/basic/transports. */
export interface StreamableClient {
  /** The Mcp-Session-Id. */
  readonly id: string;
  /** The answer to initialize. */
  readonly initialized: Message;
  /** One POST; the answer is not read. */
  post(body: object | string, headers?: Headers): Promise<Response>;
  /** Posts what is no request, which must be accepted. */
  send(body: object): Promise<void>;
  /** Posts a request whose answer comes as a stream. */
  stream(body: object, headers?: Headers): Promise<LiveStream>;
  /** Posts a request; what answers it, on a stream or as JSON. */
  ask(body: RequestBody): Promise<Message>;
  /** A tools/call under an id that was not used before, if none is given. */
  call(name: string, args?: Params, options?: CallOptions): Promise<Message>;
  /** The standalone stream, or the rest of another one. */
  listen(lastEventId?: string): Promise<LiveStream>;
  get(headers?: Headers): Promise<Response>;
  delete(headers?: Headers): Promise<Response>;
}

export interface StreamableOptions extends InitializeOptions {
  /** @default "/mcp" */
  readonly path?: string;
  /** Of every request. */
  readonly headers?: Headers;
}

const WAIT_MS = 30_000;

/** Begins a session. It is not ended after the test. */
export async function connectStreamable(
  t: TestContext,
  url: string,
  options: StreamableOptions = {},
): Promise<StreamableClient> {
  const { path = "/mcp", headers = {}, protocolVersion = "2025-11-25" } = options;
  const target = new URL(path, url);
  const first = initialize(options);
  const response = await within(fetch(target, post(first, headers)), WAIT_MS, "the answer to initialize");
  const id = response.headers.get("mcp-session-id") ?? "";
  const initialized = await answerOf(response, first);
  const own = { ...headers, "mcp-session-id": id, "mcp-protocol-version": protocolVersion };
  const client = clientOf(t, { target, headers: own, id, initialized });
  await client.send(notification("notifications/initialized"));
  return client;
}

interface Begun {
  readonly target: URL;
  readonly headers: Headers;
  readonly id: string;
  readonly initialized: Message;
}

function clientOf(t: TestContext, { target, headers, id, initialized }: Begun): StreamableClient {
  let lastId = 1000;
  const send = (init: RequestInit, label: string): Promise<Response> =>
    within(fetch(target, init), WAIT_MS, label);
  const client: StreamableClient = {
    id,
    initialized,
    post: (body, more) => send(post(body, { ...headers, ...more }), `the answer to ${JSON.stringify(body)}`),
    async send(body) {
      const response = await client.post(body);
      assert.equal(response.status, 202, await response.text());
    },
    stream: (body, more) => openStream(t, target, post(body, { ...headers, ...more })),
    async ask(body) {
      const response = await client.post(body);
      return answerOf(response, body);
    },
    call: (name, args, { id: callId = (lastId += 1), ...options } = {}) =>
      client.ask(call(name, args, { id: callId, ...options })),
    listen(lastEventId) {
      const resumed = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
      return openStream(t, target, { headers: { ...headers, accept: "text/event-stream", ...resumed } });
    },
    get: (more) =>
      send({ headers: { ...headers, accept: "text/event-stream", ...more } }, "the head of a GET"),
    delete: (more) => send({ method: "DELETE", headers: { ...headers, ...more } }, "the answer to a DELETE"),
  };
  return client;
}

/** The answer in a response, which holds it as JSON or as one of its events. */
export async function answerOf(
  response: Response,
  { id }: { readonly id: string | number },
): Promise<Message> {
  const body = await within(response.text(), WAIT_MS, "the body");
  assert.equal(response.status, 200, body);
  const texts = response.headers.get("content-type")?.startsWith("application/json")
    ? [body]
    : body.split("\n").flatMap((line) => /^data: ?(\S.*)$/.exec(line)?.[1] ?? []);
  const found = texts.map((text) => JSON.parse(text) as Message).find(answering(id));
  assert.ok(found, `no answer to ${JSON.stringify(id)} in ${body}`);
  return found;
}
