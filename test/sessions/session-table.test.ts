import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../../lib/index.ts";
import type { McpConfig } from "../../lib/index.ts";
import { until, within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, initialize, post } from "../support/rpc.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import { answering, saying } from "../support/sse-client.ts";
import { answerOf, connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 10_000;
const ROOTS = { method: "roots/list" };

/** A configuration in which another server has taken the place of all others. */
function another(t: TestContext): McpConfig {
  const { command, args, token } = fixture("remembers");
  t.after(() => waitUntilGone(token));
  return { mcpServers: { other: { command, args } } };
}

test("a signal that fires after the answer to initialize does not end the session", async (t) => {
  const { command, args, token } = fixture("remembers");
  const mcpServers = { only: { command, args } };
  const handler = createHandler({ mcpServers, sessions: "independent", allowAnonymous: true });
  t.after(async () => {
    await within(handler.close(), WAIT_MS, "the handler closes");
    await waitUntilGone(token);
  });
  const send = (
    body: { readonly id: string | number },
    headers = {},
    signal?: AbortSignal,
  ): Promise<Response> => {
    const request = new Request("http://localhost/mcp", post(body, headers));
    return within(handler.fetch(request, signal && { signal }), WAIT_MS, "an answer");
  };
  for (const accept of ["application/json", "application/json, text/event-stream"]) {
    const gone = new AbortController();
    const first = await send(initialize(), { accept }, gone.signal);
    await answerOf(first, { id: 0 });
    gone.abort();
    const headers = { accept, "mcp-session-id": first.headers.get("mcp-session-id") ?? "" };
    const counted = call("count");
    assert.equal(textOf(await answerOf(await send(counted, headers), counted)), "1");
  }
});

for (const sessions of ["shared", "independent"] as const) {
  describe(`a session that is ${sessions}, whose server is taken away`, () => {
    test("still takes the answer to an open question, and gives that of the call", async (t) => {
      const { server, url, token } = await serveSessions(t, "asks-on-demand", { sessions });
      const client = await connectStreamable(t, url, { capabilities: { roots: {} } });
      const stream = await client.stream(call("ask", ROOTS, { id: "ask" }));
      const { id } = await stream.take(saying(ROOTS.method), "the question");
      server.handler.reconfigure(another(t));
      await client.send({ jsonrpc: "2.0", id, result: { roots: [] } });
      const answer = await stream.take(answering("ask"), "the answer to the call");
      assert.deepEqual(JSON.parse(textOf(answer)).result, { roots: [] });
      await stream.ended();
      await waitUntilGone(token, { withinMs: WAIT_MS });
    });

    test("can be ended by its client", async (t) => {
      const { server, url, token, received } = await serveSessions(t, "remembers", { sessions });
      const client = await connectStreamable(t, url);
      const stream = await client.stream(call("hold", { key: "k" }, { id: "h" }));
      const isHeld = (): boolean => received.some(({ params }) => params?.["name"] === "hold");
      await until(isHeld, { withinMs: WAIT_MS, label: "the server holds the call" });
      server.handler.reconfigure(another(t));
      assert.equal((await client.delete()).status, 204);
      await stream.ended();
      await waitUntilGone(token, { withinMs: WAIT_MS });
    });
  });

  describe(`a request in a session that is ${sessions}`, () => {
    test("in a revision that does not exist is 400, whatever its method", async (t) => {
      const { url } = await serveSessions(t, "remembers", { sessions });
      const client = await connectStreamable(t, url);
      const banana = { "mcp-protocol-version": "banana" };
      for (const response of [await client.get(banana), await client.delete(banana)]) {
        assert.equal(response.status, 400, await response.text());
      }
      assert.equal(textOf(await client.call("count")), "1");
    });

    for (const id of [42, "a text"]) {
      test(`that is not known is refused under the id of the request, ${JSON.stringify(id)}`, async (t) => {
        const { url } = await serveSessions(t, "remembers", { sessions });
        const headers = { "mcp-session-id": "mayfly-3f0c3d2e-9d0c-4a57-8a52-0d3b5b6f6a11" };
        const body = post(call("count", {}, { id }), headers);
        const response = await within(fetch(`${url}/mcp`, body), WAIT_MS, "an answer");
        assert.equal(response.status, 404);
        assert.equal(((await response.json()) as { readonly id: unknown }).id, id);
      });
    }
  });
}

test("a session keeps the variables of its URL, also when they are no longer allowed", async (t) => {
  const { server, url, token } = await serveSessions(t, "environment", {
    sessions: "independent",
    config: { allowEnv: ["GREETING"] },
  });
  const client = await connectStreamable(t, url, { path: "/mcp?GREETING=hello" });
  const { command, args } = fixture("environment");
  const narrowed = [...args.filter((word) => !word.startsWith("--token=")), `--token=${token}`];
  server.handler.reconfigure({ mcpServers: { only: { command, args: narrowed, allowEnv: [] } } });
  const { env } = JSON.parse(textOf(await client.call("environment")));
  assert.equal(env.GREETING, "hello");
  const late = await within(fetch(`${url}/mcp?GREETING=hello`, post(initialize())), WAIT_MS, "an answer");
  assert.equal(late.status, 400, await late.text());
});
