import assert from "node:assert/strict";
import type { TestContext } from "node:test";

import { createHandler } from "../../lib/index.ts";
import type { HandlerOptions } from "../../lib/index.ts";
import { within } from "./deadline.ts";
import { fixture } from "./fixture.ts";
import { waitUntilGone } from "./processes.ts";

/** A handler over the fixture `echo`, which tells what was started. */
export interface Watched {
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  /** How many processes were started, and how many messages went to or came from them. */
  readonly started: () => { readonly processes: number; readonly messages: number };
}

/** The handler is closed after the test, and leaves no process. */
export function watchedHandler(t: TestContext, options: Partial<HandlerOptions> = {}): Watched {
  const { command, args, token } = fixture("echo");
  let [processes, messages] = [0, 0];
  const handler = createHandler({
    mcpServers: { echo: { command, args } },
    allowAnonymous: true,
    onMessage: () => (messages += 1),
    ...options,
  });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
  });
  return {
    fetch: (path, init) => {
      const request = new Request(new URL(path, "http://localhost"), init);
      // The handler hands every process that it starts to waitUntil.
      const answer = handler.fetch(request, { waitUntil: () => (processes += 1) });
      return within(answer, 10_000, `an answer to ${path}`);
    },
    started: () => ({ processes, messages }),
  };
}

export interface Refusal {
  readonly jsonrpc: "2.0";
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly data?: Readonly<Record<string, unknown>>;
  };
}

/** The answer as text, which must be a JSON-RPC error with these codes, and nothing of a cache or a stream. */
export async function refusalOf(
  response: Response,
  status: number,
  code: number,
): Promise<[Refusal, string]> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("mcp-session-id"), null);
  const refusal = JSON.parse(text) as Refusal;
  assert.equal(refusal.jsonrpc, "2.0");
  assert.equal(refusal.error.code, code, text);
  return [refusal, text];
}
