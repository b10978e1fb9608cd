import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createEventStore } from "../../lib/event-store.ts";
import type { EventStore } from "../../lib/event-store.ts";
import { until } from "../support/deadline.ts";
import { eventIdOf } from "../support/live-stream.ts";
import type { LiveStream, Message } from "../support/live-stream.ts";
import { call } from "../support/rpc.ts";
import { memoryOf, serveSessions, textOf } from "../support/sessions.ts";
import type { Served } from "../support/sessions.ts";
import { answering, saying } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";
import type { StreamableClient } from "../support/streamable-client.ts";

// Source: 2025-11-25/basic/transports, Resumability and Redelivery.

const WAIT_MS = 10_000;
const PROGRESS = "notifications/progress";

interface Begun extends Served {
  readonly client: StreamableClient;
}

for (const sessions of ["shared", "independent"] as const) {
  describe(`a broken stream of a session that is ${sessions}`, () => {
    const begin = async (t: TestContext, name: string): Promise<Begun> => {
      const served = await serveSessions(t, name, { sessions, sessionResumeMs: 30_000 });
      return { ...served, client: await connectStreamable(t, served.url) };
    };

    test("goes on where it broke, and loses and repeats nothing", async (t) => {
      const { client } = await begin(t, "talks-on-demand");
      const first = await steps(client, 5);
      await reached(first, 5);
      // After the second step, whatever came after it.
      const [, , second = ""] = first.eventIds();
      await broken(first);
      const rest = await client.listen(second);
      assert.equal(rest.response.status, 200);
      await reached(rest, 5);
      await client.call("release", { key: "k" });
      assert.equal(textOf(await rest.take(answering("p"), "the answer")), "5 steps");
      await rest.ended();
      assert.deepEqual(progressOf(rest), [3, 4, 5]);
    });

    test("gives an answer that came meanwhile, and ends", async (t) => {
      const { client, said } = await begin(t, "talks-on-demand");
      const first = await steps(client, 2);
      await reached(first, 2);
      const last = first.eventIds().at(-1) ?? "";
      await broken(first);
      await client.call("release", { key: "k" });
      await until(() => said.some(isText("2 steps")), { withinMs: WAIT_MS, label: "the answer is there" });
      const rest = await client.listen(last);
      await rest.ended();
      assert.deepEqual(
        rest.messages.map(({ id }) => id),
        ["p"],
      );
      assert.equal(textOf(rest.messages[0] ?? {}), "2 steps");
    });

    test("can be resumed from its first event, which is empty", async (t) => {
      const { client } = await begin(t, "talks-on-demand");
      const first = await steps(client, 2);
      await until(() => first.frames.length > 0, { withinMs: WAIT_MS, label: "the first event" });
      const [priming = ""] = first.eventIds();
      await broken(first);
      await client.call("release", { key: "k" });
      const rest = await client.listen(priming);
      assert.equal(textOf(await rest.take(answering("p"), "the answer")), "2 steps");
      assert.deepEqual(progressOf(rest), [1, 2]);
    });

    test("can break again and again", async (t) => {
      const { client } = await begin(t, "talks-on-demand");
      let stream = await steps(client, 4);
      await reached(stream, 4);
      const seen: unknown[] = [];
      for (let step = 1; step <= 4; step++) {
        const frame = stream.frames.find(({ data }) => data?.includes(`"progress":${step}`));
        seen.push(...progressOf(stream).slice(0, 1));
        const id = frame && eventIdOf(frame);
        await broken(stream);
        stream = await client.listen(id);
        if (step < 4) await reached(stream, 4);
      }
      await client.call("release", { key: "k" });
      assert.equal(textOf(await stream.take(answering("p"), "the answer")), "4 steps");
      assert.deepEqual(seen, [1, 2, 3, 4]);
      assert.equal(stream.messages.length, 1);
    });

    test("does not cancel its request", async (t) => {
      const { client } = await begin(t, "talks-on-demand");
      const first = await steps(client, 1);
      await reached(first, 1);
      const last = first.eventIds().at(-1) ?? "";
      await broken(first);
      assert.deepEqual((await memoryOf(client)).cancelled, []);
      await client.call("release", { key: "k" });
      const rest = await client.listen(last);
      assert.equal(textOf(await rest.take(answering("p"), "the answer")), "1 steps");
    });

    test("gives nothing of another stream", async (t) => {
      const { client } = await begin(t, "talks-on-demand");
      const first = await steps(client, 2);
      await reached(first, 2);
      const last = first.eventIds().at(-1) ?? "";
      await broken(first);
      const other = await client.stream(
        call("progress", { steps: 3 }, { id: "other", meta: { progressToken: "o" } }),
      );
      await other.ended();
      await client.call("release", { key: "k" });
      const rest = await client.listen(last);
      await rest.ended();
      assert.deepEqual(
        rest.messages.map(({ id }) => id),
        ["p"],
      );
    });

    test("without a request keeps what is said meanwhile", async (t) => {
      const { client, said } = await begin(t, "talks-on-demand");
      const changed = { method: "notifications/tools/list_changed" };
      const standalone = await client.listen();
      await client.call("tellLater", { notifications: [changed] });
      await standalone.take(saying(changed.method), "the first change");
      const last = standalone.eventIds().at(-1) ?? "";
      await broken(standalone);
      await client.call("tellLater", {
        notifications: [changed, { method: "notifications/prompts/list_changed" }],
      });
      const isSaid = (): boolean => said.filter(saying(changed.method)).length === 2;
      await until(isSaid, { withinMs: WAIT_MS, label: "the second change" });
      const rest = await client.listen(last);
      await rest.take(saying("notifications/prompts/list_changed"), "the last change");
      assert.deepEqual(
        rest.messages.map(({ method }) => method),
        [changed.method, "notifications/prompts/list_changed"],
      );
    });

    test("cannot be resumed from an event that never was, or in another session", async (t) => {
      const { client, url } = await begin(t, "talks-on-demand");
      const first = await steps(client, 2);
      await reached(first, 2);
      const [, id = ""] = first.eventIds();
      const other = await connectStreamable(t, url);
      for (const [asker, lastEventId] of [
        [client, "99.1"],
        [other, id],
      ] as const) {
        const response = await asker.get({ "last-event-id": lastEventId });
        assert.equal(response.status, 400);
        await response.text();
      }
      await client.call("release", { key: "k" });
      assert.equal(textOf(await first.take(answering("p"), "the answer")), "2 steps");
    });
  });
}

test("with a store that cannot give events back, calls are answered, and a session expires all the same", async (t) => {
  const eventStore: EventStore = {
    ...createEventStore(),
    replay: () => Promise.reject(new Error("disk gone")),
  };
  let closed = 0;
  const onClose = (): void => void (closed += 1);
  const options = { sessions: "independent", sessionIdleMs: 2000, eventStore, onClose } as const;
  const { url } = await serveSessions(t, "remembers", options);
  const client = await connectStreamable(t, url);
  const stream = await client.stream(call("count", {}, { id: "c" }));
  assert.equal(textOf(await stream.take(answering("c"), "the answer")), "1");
  await stream.ended();
  const response = await client.get({ "last-event-id": stream.eventIds()[0] ?? "" });
  assert.equal(response.status, 400, await response.text());
  assert.equal(textOf(await client.call("count")), "2");
  await until(() => closed === 1, { withinMs: WAIT_MS, label: "the session has expired" });
});

/** A call that tells of its steps, and ends when `k` is released. */
function steps(client: StreamableClient, count: number): Promise<LiveStream> {
  return client.stream(
    call("progress", { steps: count, key: "k" }, { id: "p", meta: { progressToken: "t" } }),
  );
}

async function reached(stream: LiveStream, step: number): Promise<void> {
  await until(() => progressOf(stream).at(-1) === step, {
    withinMs: WAIT_MS,
    label: () => `step ${step}, in ${JSON.stringify(stream.messages)}`,
  });
}

async function broken(stream: LiveStream): Promise<void> {
  stream.close();
  await stream.ended();
}

function progressOf({ messages }: LiveStream): unknown[] {
  return messages.filter(saying(PROGRESS)).map(({ params }) => params?.["progress"]);
}

function isText(text: string): (message: Message) => boolean {
  return ({ result }) => JSON.stringify(result ?? {}).includes(JSON.stringify(text));
}
