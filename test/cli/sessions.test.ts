import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { startServing } from "../support/command.ts";
import { within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { call, post } from "../support/rpc.ts";
import { memoryOf, textOf } from "../support/sessions.ts";
import { answering, saying } from "../support/sse-client.ts";
import { answerOf, connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 15_000;
const ELICIT = {
  method: "elicitation/create",
  params: { message: "Name?", requestedSchema: { type: "object" } },
};
const ANSWER = { action: "accept", content: { name: "Ada" } };

/** A client that says that its user can be asked: the server is told so, and asks. */
async function isAsked(t: TestContext, url: string): Promise<void> {
  const capabilities = { elicitation: {} };
  const client = await connectStreamable(t, url, { capabilities });
  const { handshakes } = await memoryOf(client);
  // This server asks without looking; others ask only whom they know to have the capability.
  assert.deepEqual(
    handshakes.map((handshake) => handshake.capabilities),
    [capabilities],
  );
  const stream = await client.stream(call("ask", ELICIT, { id: 1 }));
  const { id } = await stream.take(saying(ELICIT.method), "the question");
  await client.send({ jsonrpc: "2.0", id, result: ANSWER });
  const answer = await stream.take(answering(1), "the answer to the call");
  assert.deepEqual(JSON.parse(textOf(answer)).result, ANSWER);
  assert.equal((await client.delete()).status, 204);
}

test("the example at the start leaves the handshake of a shared process to its first client", async (t) => {
  const { command, args, token } = fixture("asks-on-demand");
  const words = ["--sessions", "shared", "--", command, ...args];
  const { url, example } = await startServing(t, words, { token });
  assert.match(await example(), /tools\/list/);
  await isAsked(t, url);
});

test("a POST without a session leaves the handshake of a shared process to the first client", async (t) => {
  const { command, args, token } = fixture("asks-on-demand");
  const words = ["--sessions", "shared", "--", command, ...args];
  const { url, example } = await startServing(t, words, { token });
  await example();
  const visit = call("memory", {}, { id: "v" });
  const response = await within(fetch(`${url}/mcp`, post(visit, { accept: "*/*" })), WAIT_MS, "an answer");
  assert.match(textOf(await answerOf(response, visit)), /"handshakes":\[\{/);
  await isAsked(t, url);
});
