// A Request of Node passes an abort on only as long as somebody holds the Request, and not only its signal.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../lib/index.ts";
import type { Handler, HandlerOptions } from "../lib/index.ts";
import { until, within } from "./support/deadline.ts";
import { temporaryFolder, waitForLine } from "./support/files.ts";
import { fixture } from "./support/fixture.ts";
import { collectGarbage } from "./support/garbage.ts";
import { processesWith, waitUntilGone } from "./support/processes.ts";
import { call, initialize, post } from "./support/rpc.ts";

const WAIT_MS = 10_000;

interface Setup {
  readonly handler: Handler;
  readonly token: string;
}

function setUp(t: TestContext, name: string, options: Partial<HandlerOptions> = {}): Setup {
  const { command, args, token } = fixture(name);
  const handler = createHandler({
    mcpServers: { [name]: { command, args } },
    allowAnonymous: true,
    ...options,
  });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
  });
  return { handler, token };
}

/** Nobody but the handler can hold the request. */
function ask(handler: Handler, path: string, init: RequestInit): Promise<Response> {
  return handler.fetch(new Request(`http://localhost${path}`, init));
}

describe("a request that only the handler holds still tells that its client goes", () => {
  test("while the server is silent", async (t) => {
    const file = join(await temporaryFolder(t), "log");
    const { handler, token } = setUp(t, "slow");
    const client = new AbortController();
    const asked = ask(handler, "/mcp", { ...post(call("wait", { file })), signal: client.signal });
    await waitForLine(file, /^called/);
    await collectGarbage();
    client.abort();
    await waitUntilGone(token);
    await within(asked, WAIT_MS, "the end of the request");
  });

  test("during a stream", async (t) => {
    const { handler, token } = setUp(t, "progress");
    const client = new AbortController();
    const body = call("progress", { steps: 1000, delayMs: 20 }, { meta: { progressToken: 1 } });
    const response = await within(
      ask(handler, "/mcp", { ...post(body), signal: client.signal }),
      WAIT_MS,
      "a stream",
    );
    await collectGarbage();
    client.abort();
    await waitUntilGone(token);
    assert.equal(response.status, 200);
  });

  test("on the stream of HTTP+SSE", async (t) => {
    const { handler, token } = setUp(t, "counter", { transports: ["sse"], sharedSession: false });
    const client = new AbortController();
    const response = await ask(handler, "/sse", { signal: client.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const { value } = await within(reader.read(), WAIT_MS, "the endpoint");
    const endpoint = /data: (\S+)/.exec(new TextDecoder().decode(value))?.[1] ?? "";
    assert.equal((await ask(handler, `/${endpoint}`, post(initialize()))).status, 202);
    await until(() => processesWith(token).length === 1, { withinMs: WAIT_MS, label: "the process" });
    await collectGarbage();
    client.abort();
    await waitUntilGone(token);
  });

  test("on the stream of a session", async (t) => {
    const { handler, token } = setUp(t, "counter", { sessions: "independent", sessionResumeMs: 20 });
    const opening = await within(ask(handler, "/mcp", post(initialize())), WAIT_MS, "the handshake");
    const headers = {
      accept: "text/event-stream",
      "mcp-session-id": opening.headers.get("mcp-session-id") ?? "",
    };
    const client = new AbortController();
    const { status } = await ask(handler, "/mcp", { headers, signal: client.signal });
    assert.deepEqual([status, processesWith(token).length], [200, 1]);
    await collectGarbage();
    client.abort();
    await waitUntilGone(token);
  });
});
