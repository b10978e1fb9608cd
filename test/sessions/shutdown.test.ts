import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until, within } from "../support/deadline.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, post, request } from "../support/rpc.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import { answering, connectSse, saying } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 10_000;
const PROGRESS = "notifications/progress";
const TEN_STEPS = call("progress", { steps: 10, delayMs: 50 }, { id: "p", meta: { progressToken: 1 } });
const FOR_EVER = call("progress", { steps: 10_000, delayMs: 20 }, { id: "p", meta: { progressToken: 1 } });

/** Streams that end at once do not take the minute that calls in flight would have. */
const AT_ONCE_MS = 10_000;

for (const sharedSession of [true, false]) {
  describe(`close, with HTTP+SSE and sharedSession ${sharedSession}`, () => {
    test("ends idle streams at once, and their processes", async (t) => {
      const { server, url, token } = await serveSessions(t, "remembers", { sharedSession });
      const [used, silent] = [await connectSse(t, url), await connectSse(t, url)];
      await used.call("count");
      await within(server.close(60_000), AT_ONCE_MS, "the adapter closes");
      for (const client of [used, silent]) await client.ended();
      await waitUntilGone(token, { withinMs: 0 });
    });

    test("lets a call finish, and ends its stream then", async (t) => {
      const { server, url, token } = await serveSessions(t, "progress", { sharedSession });
      const [busy, idle] = [await connectSse(t, url), await connectSse(t, url)];
      await busy.send(TEN_STEPS);
      await busy.take(saying(PROGRESS), "the first progress");
      const closing = server.close(60_000);
      await idle.ended();
      assert.ok(!busy.isOver() || busy.messages.some(answering("p")), "the call was cut off");
      assert.equal(textOf(await busy.take(answering("p"), "the answer")), "10 steps done");
      await busy.ended();
      await within(closing, AT_ONCE_MS, "the adapter closes");
      await waitUntilGone(token, { withinMs: 0 });
    });

    test("answers a call that takes too long with the reason", async (t) => {
      const { server, url, token } = await serveSessions(t, "progress", { sharedSession });
      const client = await connectSse(t, url);
      await client.send(FOR_EVER);
      await client.take(saying(PROGRESS), "the first progress");
      await within(server.close(200), AT_ONCE_MS, "the adapter closes");
      await client.ended();
      const { error } = await client.take(answering("p"), "the answer");
      assert.equal(error?.data?.["reason"], "shutdown");
      await waitUntilGone(token, { withinMs: 0 });
    });
  });
}

for (const sessions of ["shared", "independent"] as const) {
  describe(`close, with sessions that are ${sessions}`, () => {
    test("ends standalone streams at once, and the processes", async (t) => {
      const { server, url, token } = await serveSessions(t, "remembers", { sessions });
      const client = await connectStreamable(t, url);
      await client.call("count");
      const standalone = await client.listen();
      await within(server.close(60_000), AT_ONCE_MS, "the adapter closes");
      await standalone.ended();
      await waitUntilGone(token, { withinMs: 0 });
    });

    test("lets a call finish", async (t) => {
      const { server, url, token } = await serveSessions(t, "progress", { sessions });
      const client = await connectStreamable(t, url);
      const stream = await client.stream(TEN_STEPS);
      await stream.take(saying(PROGRESS), "the first progress");
      const closing = server.close(60_000);
      assert.equal(textOf(await stream.take(answering("p"), "the answer")), "10 steps done");
      await stream.ended();
      await within(closing, AT_ONCE_MS, "the adapter closes");
      await waitUntilGone(token, { withinMs: 0 });
    });

    test("answers a call that takes too long with the reason", async (t) => {
      const { server, url, token } = await serveSessions(t, "progress", { sessions });
      const client = await connectStreamable(t, url);
      const stream = await client.stream(FOR_EVER);
      await stream.take(saying(PROGRESS), "the first progress");
      await within(server.close(200), AT_ONCE_MS, "the adapter closes");
      await stream.ended();
      const { error } = await stream.take(answering("p"), "the answer");
      assert.equal(error?.data?.["reason"], "shutdown");
      await waitUntilGone(token, { withinMs: 0 });
    });

    test("waits for no request whose client has gone, and has nothing to resume", async (t) => {
      const { server, url, token, received } = await serveSessions(t, "remembers", { sessions });
      const client = await connectStreamable(t, url);
      const stream = await client.stream(call("hold", { key: "k" }, { id: "h" }));
      const isHeld = (): boolean => received.some(({ params }) => params?.["name"] === "hold");
      await until(isHeld, { withinMs: WAIT_MS, label: "the server holds the call" });
      stream.close();
      await stream.ended();
      await within(server.close(1000), 4000, "the adapter closes");
      await waitUntilGone(token, { withinMs: 0 });
    });
  });
}

test("while it stops, a message on a stream that is still busy is refused", async (t) => {
  const { server, url } = await serveSessions(t, "progress", { sharedSession: true });
  const client = await connectSse(t, url);
  await client.send(TEN_STEPS);
  await client.take(saying(PROGRESS), "the first progress");
  const closing = server.close(60_000);
  await until(() => isClosed(url), { withinMs: AT_ONCE_MS, label: "nobody listens" });
  // Not over the network.
  const late = await server.handler.fetch(new Request(client.endpoint, post(request("ping", {}, "late"))));
  assert.equal(late.status, 503, await late.text());
  assert.equal(textOf(await client.take(answering("p"), "the answer")), "10 steps done");
  await within(closing, AT_ONCE_MS, "the adapter closes");
});

function isClosed(url: string): Promise<boolean> {
  return fetch(`${url}/health`).then(
    () => false,
    () => true,
  );
}

for (const sessions of ["shared", "independent"] as const) {
  describe(`while it stops, a session that is ${sessions}`, () => {
    test("gives a call in flight its messages and its answer, and begins nothing new", async (t) => {
      const { server, url } = await serveSessions(t, "asks-on-demand", { sessions });
      const client = await connectStreamable(t, url, { capabilities: { roots: {} } });
      const first = await client.stream(call("ask", { method: "roots/list" }, { id: "ask" }));
      const { id } = await first.take(saying("roots/list"), "the question");
      const last = first.eventIds().at(-1);
      first.close();
      await first.ended();
      server.handler.drain();
      const fresh = await client.get();
      assert.equal(fresh.status, 503, await fresh.text());
      const rest = await client.listen(last);
      assert.equal(rest.response.status, 200);
      await client.send({ jsonrpc: "2.0", id, result: { roots: [] } });
      const answer = await rest.take(answering("ask"), "the answer to the call");
      assert.deepEqual(JSON.parse(textOf(answer)).result, { roots: [] });
      await rest.ended();
    });

    test("can be ended by its client", async (t) => {
      const { server, url, received } = await serveSessions(t, "remembers", { sessions });
      const client = await connectStreamable(t, url);
      const stream = await client.stream(call("hold", { key: "k" }, { id: "h" }));
      const isHeld = (): boolean => received.some(({ params }) => params?.["name"] === "hold");
      await until(isHeld, { withinMs: WAIT_MS, label: "the server holds the call" });
      server.handler.drain();
      const response = await client.delete();
      assert.equal(response.status, 204, await response.text());
      await stream.ended();
    });
  });
}

test("kill ends the processes of all sessions without waiting", async (t) => {
  const options = { sharedSession: false, sessions: "independent" } as const;
  const { server, url, token, pids } = await serveSessions(t, "ignores-sigterm", options);
  const sse = await connectSse(t, url);
  const streamable = await connectStreamable(t, url);
  await sse.call("any");
  await streamable.call("any");
  assert.equal(pids().length, 2);
  server.kill();
  await waitUntilGone(token, { withinMs: 1000 });
});
