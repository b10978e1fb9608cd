import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import { CHILDREN, configOf } from "../matrix/children.ts";
import { until, within } from "../support/deadline.ts";
import { testToken } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";
import { notification, request } from "../support/rpc.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import { connectSse, saying } from "../support/sse-client.ts";
import type { SseClient } from "../support/sse-client.ts";

const WAIT_MS = 15_000;
const FORM = { capabilities: { elicitation: {} } };

/** An SDK server that refuses the handshake; after the test nothing of it may be left. */
async function serveModern(t: TestContext, sharedSession: boolean): Promise<string> {
  const token = testToken();
  const kind = CHILDREN.find(({ name }) => name === "modern-only");
  assert.ok(kind);
  const server = await serve({ mcpServers: { only: configOf(kind, token) }, port: 0, sharedSession });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return server.url;
}

for (const sharedSession of [true, false]) {
  describe(`a server without a handshake, over HTTP+SSE (sharedSession ${sharedSession})`, () => {
    test("initializes, lists and calls as any other, and no process stays", async (t) => {
      const { url, token } = await serveSessions(t, "modern-only", { sharedSession });
      const client = await connectSse(t, url);
      const { result } = await client.initialize({ protocolVersion: "2025-06-18" });
      assert.equal(result?.["protocolVersion"], "2025-06-18");
      const { result: list } = await client.ask(request("tools/list", {}, "l"));
      assert.ok(JSON.stringify(list).includes('"echo"'));
      const wrapped = await client.call("structured");
      assert.deepEqual(wrapped.result?.["structuredContent"], { result: [1, 2, 3] });
      await waitUntilGone(token);
    });

    test("asks the client whose request runs", async (t) => {
      const client = await connectSse(t, await serveModern(t, sharedSession));
      await client.initialize(FORM);
      const answer = client.call("ask");
      const question = await client.take(saying("elicitation/create"), "the question");
      const content = { name: "Ann" };
      await client.send({ jsonrpc: "2.0", id: question.id ?? "", result: { action: "accept", content } });
      assert.match(textOf(await answer), /Ann/);
    });
  });
}

test("two clients of a server without a handshake do not answer for one another", async (t) => {
  const url = await serveModern(t, true);
  const [asked, other] = [await connectSse(t, url), await connectSse(t, url)];
  for (const client of [asked, other]) await client.initialize(FORM);
  const answer = asked.call("ask");
  const { id = "" } = await asked.take(saying("elicitation/create"), "the question");
  await other.send({ jsonrpc: "2.0", id, result: { action: "accept", content: { name: "Eve" } } });
  await asked.send({ jsonrpc: "2.0", id, result: { action: "accept", content: { name: "Ann" } } });
  assert.match(textOf(await answer), /Ann/);
});

for (const [what, leave] of [
  [
    "a cancelled notification",
    (client: SseClient) => client.send(notification("notifications/cancelled", { requestId: "s" })),
  ],
  ["its stream", (client: SseClient) => Promise.resolve(client.close())],
] as const) {
  test(`a call of such a server ends with ${what}, and so does its process`, async (t) => {
    const { url, token, received } = await serveSessions(t, "modern-only", { sharedSession: true });
    const client = await connectSse(t, url);
    await client.initialize();
    const asked = request("prompts/get", { name: "never-answered" }, "s");
    await client.send(asked);
    const isThere = (): boolean => received.some(({ method }) => method === "prompts/get");
    await until(isThere, { withinMs: WAIT_MS, label: "the server gets the request" });
    await leave(client);
    await waitUntilGone(token);
  });
}
