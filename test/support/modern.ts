import type { TestContext } from "node:test";

import { createHandler } from "../../lib/index.ts";
import type { HandlerOptions, ServerConfig } from "../../lib/index.ts";
import { within } from "./deadline.ts";
import { readAll } from "./event-stream.ts";
import { fixture } from "./fixture.ts";
import type { Fixture } from "./fixture.ts";
import { waitUntilGone } from "./processes.ts";
import { post, request } from "./rpc.ts";
import type { Id, Params, Post } from "./rpc.ts";

const PREFIX = "io.modelcontextprotocol/";
const NAMES: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};

export interface ModernOptions {
  readonly id?: Id;
  readonly capabilities?: Params;
  /** More members of `_meta`. */
  readonly meta?: Params;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A POST of 2026-07-28, with its envelope and its headers. */
export function modern(method: string, params: Params = {}, options: ModernOptions = {}): Post {
  const { id = 1, capabilities = {}, meta = {}, headers = {} } = options;
  const envelope = {
    [`${PREFIX}protocolVersion`]: "2026-07-28",
    [`${PREFIX}clientInfo`]: { name: "test-client", version: "1.0.0" },
    [`${PREFIX}clientCapabilities`]: capabilities,
    ...meta,
  };
  const name = params[NAMES[method] ?? ""];
  return post(request(method, { ...params, _meta: envelope }, id), {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(typeof name === "string" && { "mcp-name": name }),
    ...headers,
  });
}

/** A tools/call of 2026-07-28. */
export function modernCall(name: string, args: Params = {}, options: ModernOptions & Retry = {}): Post {
  const { requestState, inputResponses, ...rest } = options;
  const retry = { ...(requestState && { requestState }), ...(inputResponses && { inputResponses }) };
  return modern("tools/call", { name, arguments: args, ...retry }, rest);
}

export interface Retry {
  readonly requestState?: string | undefined;
  readonly inputResponses?: Params;
}

export interface Answer {
  readonly id?: unknown;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Params };
}

/** A handler over one fixture, and what goes to and fro between them. */
export interface Observed {
  readonly token: string;
  readonly send: (init: RequestInit) => Promise<Response>;
  /** The last message of the answer, and its HTTP status. */
  readonly ask: (init: RequestInit) => Promise<Answer & { readonly status: number }>;
  /** The messages that the server got, since the last look. */
  readonly received: () => readonly Params[];
  /** The processes that were started, since the last look. */
  readonly started: () => number;
  readonly close: () => Promise<void>;
}

export interface ObservedOptions extends Partial<HandlerOptions> {
  readonly args?: readonly string[];
  /** Of another handler, whose server this one has too. */
  readonly token?: string;
  readonly config?: Partial<ServerConfig>;
}

/** When the test is over, the handler is closed and no process may be left. */
export function observe(t: TestContext, name: string, options: ObservedOptions = {}): Observed {
  const { args: more = [], config, token: shared, ...rest } = options;
  const { command, args, token } = fixtureOf(name, more, shared);
  let [received, started]: [Params[], number] = [[], 0];
  const handler = createHandler({
    mcpServers: { only: { command, args, ...config } },
    allowAnonymous: true,
    onMessage: (_server, direction, text) =>
      void (direction === "in" && received.push(JSON.parse(text) as Params)),
    ...rest,
  });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
  });
  const send = (init: RequestInit): Promise<Response> => {
    const answer = handler.fetch(new Request("http://localhost/mcp", init), {
      waitUntil: () => (started += 1),
    });
    return within(answer, 10_000, `an answer of ${name}`);
  };
  return {
    token,
    send,
    ask: async (init) => answerOf(await send(init)),
    received: () => {
      const seen = received;
      received = [];
      return seen;
    },
    started: () => {
      const seen = started;
      started = 0;
      return seen;
    },
    close: () => handler.close(),
  };
}

function fixtureOf(name: string, more: readonly string[], shared: string | undefined): Fixture {
  const own = fixture(name, ...more);
  if (shared === undefined) return own;
  const args = own.args.map((arg) => arg.replace(own.token, shared));
  return { ...own, args, token: shared };
}

async function answerOf(response: Response): Promise<Answer & { readonly status: number }> {
  const { status } = response;
  const isStream = response.headers.get("content-type") === "text/event-stream";
  const text = isStream ? ((await readAll(response)).at(-1)?.data ?? "") : await response.text();
  return { ...(JSON.parse(text) as Answer), status };
}

/** The text of a tool's result. */
export function textOf({ result, error }: Answer): string {
  const [block] = (result?.["content"] ?? []) as readonly { text?: string }[];
  return block?.text ?? JSON.stringify(error);
}

export function methodsOf(messages: readonly Params[]): unknown[] {
  return messages.map(({ method }) => method ?? "answer");
}
