import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until } from "../support/deadline.ts";
import { call, notification } from "../support/rpc.ts";
import { memoryOf, serveSessions, textOf } from "../support/sessions.ts";
import type { Served } from "../support/sessions.ts";
import { connectSse, saying } from "../support/sse-client.ts";
import type { SseClient } from "../support/sse-client.ts";

const WAIT_MS = 10_000;
const LOG = "notifications/message";
const LAST_WORD = "notifications/prompts/list_changed";
const ROOTS = { method: "roots/list" };
const capabilities = { roots: {} };

interface Two extends Served {
  /** Has cancelled a call that the server goes on with until `k` is released. */
  readonly gone: SseClient;
  readonly other: SseClient;
}

async function connectTwo(t: TestContext, name: string): Promise<Two> {
  const served = await serveSessions(t, name, { sharedSession: true });
  const [gone, other] = [await connectSse(t, served.url), await connectSse(t, served.url)];
  for (const client of [gone, other]) await client.initialize({ capabilities });
  await cancelled(gone, served);
  return { ...served, gone, other };
}

async function cancelled(client: SseClient, { received }: Served): Promise<void> {
  const isHeld = (): boolean => received.some(({ params }) => params?.["name"] === "hold");
  await client.send(call("hold", { key: "k" }, { id: "h" }));
  await until(isHeld, { withinMs: WAIT_MS, label: "the server holds the call" });
  await client.send(notification("notifications/cancelled", { requestId: "h" }));
  const isCancelled = async (): Promise<boolean> => (await memoryOf(client)).cancelled.length > 0;
  await until(isCancelled, { withinMs: WAIT_MS, label: "the server knows that it is cancelled" });
}

function saysOf(data: string): readonly object[] {
  return [{ method: LOG, params: { level: "info", data } }, { method: LAST_WORD }];
}

/** The data of the log messages that came before a word for everybody. */
async function heard(client: SseClient): Promise<unknown[]> {
  await client.take(saying(LAST_WORD), "the last word");
  return client.messages.filter(saying(LOG)).map(({ params }) => params?.["data"]);
}

/** What was answered to the first question that the server has asked after its answer. */
async function refusalOf(client: SseClient): Promise<unknown> {
  const answers = async (): Promise<readonly { readonly error?: unknown }[]> =>
    JSON.parse(textOf(await client.call("answers"))) as readonly { readonly error?: unknown }[];
  const [first] = await until(async () => (await answers()).length > 0 && answers(), {
    withinMs: WAIT_MS,
    label: "the refusal",
  });
  return first?.error;
}

describe("while a server goes on with a call that was cancelled", () => {
  test("a log message reaches no other client, whether that waits for something or not", async (t) => {
    const { other } = await connectTwo(t, "talks-on-demand");
    await other.call("tell", { notifications: saysOf("during a call of another") });
    assert.deepEqual(await heard(other), []);
    await other.call("tellLater", { notifications: saysOf("when nobody waits") });
    assert.deepEqual(await heard(other), []);
  });

  test("a log message reaches no other client, also when the one that has cancelled has left", async (t) => {
    const { gone, other } = await connectTwo(t, "talks-on-demand");
    gone.close();
    await gone.ended();
    await other.call("tellLater", { notifications: saysOf("when it has left") });
    assert.deepEqual(await heard(other), []);
  });

  test("a question reaches no other client that waits for something", async (t) => {
    const { other } = await connectTwo(t, "asks-on-demand");
    const { error } = JSON.parse(textOf(await other.call("ask", ROOTS)));
    assert.equal(error.code, -32601);
    assert.deepEqual(other.messages.filter(saying(ROOTS.method)), []);
  });

  test("a question reaches no other client when nobody waits", async (t) => {
    const { gone, other } = await connectTwo(t, "asks-on-demand");
    gone.close();
    await gone.ended();
    await other.call("askLater", ROOTS);
    assert.ok(await refusalOf(other));
    assert.deepEqual(other.messages.filter(saying(ROOTS.method)), []);
  });

  test("its only client hears what the server says, and is asked", async (t) => {
    const talking = await serveSessions(t, "talks-on-demand", { sharedSession: true });
    const only = await connectSse(t, talking.url);
    await only.initialize();
    await cancelled(only, talking);
    await only.call("tellLater", { notifications: saysOf("for the only one") });
    assert.deepEqual(await heard(only), ["for the only one"]);

    const asking = await serveSessions(t, "asks-on-demand", { sharedSession: true });
    const asked = await connectSse(t, asking.url);
    await asked.initialize({ capabilities });
    await cancelled(asked, asking);
    await asked.call("askLater", ROOTS);
    await asked.take(saying(ROOTS.method), "the question");
  });
});

test("what a server says when it has come to the end of a cancelled call is for the others again", async (t) => {
  const { other } = await connectTwo(t, "talks-on-demand");
  await other.call("release", { key: "k" });
  await other.call("tell", { notifications: saysOf("afterwards") });
  assert.deepEqual(await heard(other), ["afterwards"]);
});
