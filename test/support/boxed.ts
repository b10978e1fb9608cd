import type { TestContext } from "node:test";

import { createHandler } from "../../lib/index.ts";
import type { HandlerOptions, ServerConfig } from "../../lib/index.ts";
import { within } from "./deadline.ts";
import { fixture } from "./fixture.ts";
import { waitUntilGone } from "./processes.ts";
import { call, post } from "./rpc.ts";
import type { Params } from "./rpc.ts";

const WAIT_MS = 60_000;

/** A fixture behind a handler, in a sandbox. */
export interface Boxed {
  /** What the tool says, or the error of the call with its reason. */
  readonly call: (tool: string, args?: Params) => Promise<string>;
  readonly token: string;
}

/** The handler is closed after the test, and leaves no process. */
export function boxed(
  t: TestContext,
  name: string,
  config: Partial<ServerConfig>,
  options: Partial<HandlerOptions> = {},
): Boxed {
  const { command, args, token } = fixture(name);
  const mcpServers = { [name]: { command, args, ...config } };
  const handler = createHandler({ mcpServers, allowAnonymous: true, ...options });
  // A command of the test's own has one of its folders, or a token, in its arguments.
  const words = [token, options.baseDirectory ?? "", ...(config.args ?? [])];
  const marks = words.filter((word) => word === token || /mayfly-test-|--token=/.test(word));
  t.after(async () => {
    await handler.close();
    for (const mark of marks) await waitUntilGone(mark);
  });
  return {
    token,
    call: async (tool, given = {}) => {
      const request = new Request("http://localhost/mcp", post(call(tool, given)));
      const answer = await within(handler.fetch(request), WAIT_MS, `an answer of ${tool}`);
      return said(await within(answer.text(), WAIT_MS, `its body`));
    },
  };
}

interface Answer {
  readonly result?: { readonly content: readonly { readonly text: string }[] };
  readonly error?: { readonly message: string; readonly data?: { readonly reason: string } };
}

/** The answer is JSON, or the last event of a stream. */
function said(body: string): string {
  const lines = body.startsWith("{") ? [body] : body.split("\n").filter((line) => line.startsWith("data: {"));
  const { result, error } = JSON.parse((lines.at(-1) ?? "").replace(/^data: /, "")) as Answer;
  return result?.content[0]?.text ?? `${error?.data?.reason}: ${error?.message}`;
}
