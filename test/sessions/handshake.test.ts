import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until, within } from "../support/deadline.ts";
import type { Message } from "../support/live-stream.ts";
import { call, initialize, post } from "../support/rpc.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import { connectSse } from "../support/sse-client.ts";
import { answerOf, connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 10_000;
const BAD = { clientInfo: { name: "bad", version: "1.0.0" } };
const GOOD = { clientInfo: { name: "good", version: "1.0.0" } };

/** What answers the initialize request of a client that the server refuses. */
async function refused(url: string): Promise<Message> {
  const body = initialize(BAD);
  const response = await within(fetch(`${url}/mcp`, post(body)), WAIT_MS, "the refusal");
  assert.equal(response.headers.get("mcp-session-id"), null);
  const answer = await answerOf(response, body);
  assert.equal(answer.result, undefined);
  return answer;
}

describe("a client that a shared server refuses", () => {
  test("does not keep out another one that comes with it", async (t) => {
    const { url, starts } = await serveSessions(t, "refuses-by-name", { sessions: "shared" });
    const refusal = refused(url);
    await until(() => starts() > 0, { withinMs: WAIT_MS, label: "the first handshake has begun" });
    const [good] = await Promise.all([connectStreamable(t, url, GOOD), refusal]);
    assert.ok(good.initialized.result, JSON.stringify(good.initialized.error));
    assert.equal(textOf(await good.call("count")), "1");
  });

  test("does not end the handshake of one that came before it", async (t) => {
    const { url, starts } = await serveSessions(t, "refuses-by-name", { sessions: "shared" });
    const begun = connectStreamable(t, url, GOOD);
    await until(() => starts() > 0, { withinMs: WAIT_MS, label: "the first handshake has begun" });
    // The process knows the other one's name only, and serves both.
    const bad = await connectStreamable(t, url, BAD);
    const good = await begun;
    for (const [index, client] of [good, bad].entries()) {
      assert.equal(textOf(await client.call("count")), String(index + 1));
    }
    assert.equal(starts(), 1);
  });

  test("again and again leaves others no time to wait", async (t) => {
    const { url } = await serveSessions(t, "refuses-by-name", { sessions: "shared" });
    for (let round = 0; round < 10; round += 1) {
      const { error } = await refused(url);
      assert.equal(error?.data?.["retryAfterMs"], undefined);
    }
    const good = await connectStreamable(t, url, GOOD);
    assert.equal(textOf(await good.call("count")), "1");
  });

  test("does not keep out one that makes no handshake", async (t) => {
    const { url } = await serveSessions(t, "refuses-by-name", { sessions: "shared" });
    const visit = call("count", {}, { id: "v" });
    const [, response] = await Promise.all([refused(url), fetch(`${url}/mcp`, post(visit))]);
    assert.equal(textOf(await answerOf(response, visit)), "1");
  });

  test("does not keep out another one over HTTP+SSE", async (t) => {
    const { url } = await serveSessions(t, "refuses-by-name", { sharedSession: true });
    const [bad, good] = [await connectSse(t, url), await connectSse(t, url)];
    const [refusal, answer] = await Promise.all([bad.ask(initialize(BAD)), good.ask(initialize(GOOD))]);
    assert.ok(refusal.error);
    assert.ok(answer.result, JSON.stringify(answer.error));
    assert.equal(textOf(await good.call("count")), "1");
  });
});

describe("an independent session", () => {
  for (const [spoken, asked] of [
    ["2025-11-25", "2025-03-26"],
    ["2024-11-05", "2025-11-25"],
    ["2099-01-01", "2025-06-18"],
  ] as const) {
    test(`is told ${spoken} by the server itself when it asks for ${asked}`, async (t) => {
      const options = { sessions: "independent", args: [`--revision=${spoken}`] } as const;
      const { url } = await serveSessions(t, "remembers", options);
      const response = await within(
        fetch(`${url}/mcp`, post(initialize({ protocolVersion: asked }))),
        WAIT_MS,
        "the answer to initialize",
      );
      const { result } = await answerOf(response, { id: 0 });
      assert.equal(result?.["protocolVersion"], spoken);
    });
  }
});
