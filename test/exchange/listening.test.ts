import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { within } from "../support/deadline.ts";
import { readAll, readEvents } from "../support/event-stream.ts";
import type { Frame } from "../support/event-stream.ts";
import { methodsOf, modern, observe } from "../support/modern.ts";
import type { Observed, ObservedOptions } from "../support/modern.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import type { Id, Params } from "../support/rpc.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const SERVE: ObservedOptions = { listen: "serve" };
const ALL = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourceSubscriptions: ["a://x", "bad://x"],
};

interface Told {
  readonly method?: string;
  readonly params: { readonly _meta: Params; readonly notifications?: Params; readonly uri?: string };
  readonly id?: Id;
  readonly result?: Params;
}

function listen(notifications: unknown, id: Id = "s"): RequestInit {
  return modern("subscriptions/listen", { notifications }, { id });
}

function toldBy({ data }: Frame): Told {
  return JSON.parse(data ?? "") as Told;
}

/** The next message of a stream. */
async function next(frames: AsyncGenerator<Frame, void, void>): Promise<Told> {
  const { value } = await within(frames.next(), 5000, "a message of the subscription");
  assert.ok(value, "the stream has ended");
  return value.data === undefined ? next(frames) : toldBy(value);
}

describe("where a request may not live long", () => {
  for (const filter of [{}, ALL]) {
    test(`a subscription to ${Object.keys(filter).length} kinds of changes ends gracefully at once, without a process`, async (t) => {
      const server = observe(t, "legacy-watches");
      const frames = await readAll(await server.send(listen(filter, 7)));
      assert.deepEqual(frames.map(toldBy), [
        {
          jsonrpc: "2.0",
          method: "notifications/subscriptions/acknowledged",
          params: { notifications: {}, _meta: { [SUBSCRIPTION]: 7 } },
        },
        { jsonrpc: "2.0", id: 7, result: { resultType: "complete", _meta: { [SUBSCRIPTION]: 7 } } },
      ]);
      assert.equal(server.started(), 0);
    });
  }

  for (const filter of [undefined, null, [], "all"]) {
    test(`the filter ${JSON.stringify(filter)} is refused`, async (t) => {
      const server = observe(t, "legacy-watches");
      const { status, error, id } = await server.ask(listen(filter));
      assert.deepEqual([status, error?.code, id, server.started()], [400, -32602, "s", 0]);
    });
  }

  test("a client that reads no streams cannot subscribe", async (t) => {
    const server = observe(t, "legacy-watches", SERVE);
    const init = modern("subscriptions/listen", { notifications: {} });
    const { status } = await server.ask({
      ...init,
      headers: { ...init.headers, accept: "application/json" },
    });
    assert.deepEqual([status, server.started()], [406, 0]);
  });
});

describe("a subscription before a legacy server", () => {
  test("is told what the server agrees to, then its changes with the id of the subscription", async (t) => {
    const server = observe(t, "legacy-watches", SERVE);
    const frames = readEvents(await server.send(listen(ALL)));
    const { method, params } = await next(frames);
    assert.equal(method, "notifications/subscriptions/acknowledged");
    assert.deepEqual(params, {
      notifications: { toolsListChanged: true, resourceSubscriptions: ["a://x"] },
      _meta: { [SUBSCRIPTION]: "s" },
    });
    const changes = [await next(frames), await next(frames), await next(frames), await next(frames)];
    assert.deepEqual(
      new Set(changes.map((told) => told.method)),
      new Set(["notifications/tools/list_changed", "notifications/resources/updated"]),
    );
    assert.ok(changes.every((told) => told.params._meta[SUBSCRIPTION] === "s"));
    assert.equal(processesWith(server.token).length, 1);
    await frames.return();
    await waitUntilGone(server.token);
  });

  test("hears of nothing that its client did not ask for", async (t) => {
    const server = observe(t, "legacy-watches", SERVE);
    const frames = readEvents(await server.send(listen({ resourceSubscriptions: ["a://x"] })));
    await next(frames);
    for (const _ of [1, 2, 3]) assert.equal((await next(frames)).params.uri, "a://x");
    await frames.return();
  });

  test("has the time of a start to be acknowledged, and no more", async (t) => {
    const server = observe(t, "legacy-watches", { ...SERVE, startTimeoutMs: 500 });
    const { error } = await server.ask(listen({ resourceSubscriptions: ["silent://x"] }));
    assert.equal(error?.data?.["reason"], "timeout");
  });

  test("agrees to a hundred resources at the most", async (t) => {
    const server = observe(t, "legacy-watches", SERVE);
    const uris = Array.from({ length: 120 }, (_, at) => `a://${at}`);
    const frames = readEvents(await server.send(listen({ resourceSubscriptions: uris })));
    const { notifications } = (await next(frames)).params;
    assert.deepEqual(notifications, { resourceSubscriptions: uris.slice(0, 100) });
    await frames.return();
  });

  test("agrees to nothing that the server does not tell of", async (t) => {
    const server = observe(t, "counter", SERVE);
    const frames = readEvents(await server.send(listen(ALL)));
    assert.deepEqual((await next(frames)).params.notifications, {});
    assert.ok(!methodsOf(server.received()).includes("resources/subscribe"));
    await frames.return();
  });
});

describe("a subscription before a modern server", () => {
  test("passes as it is", async (t) => {
    const server = observe(t, "modern-watches", { ...SERVE, config: { era: "modern" } });
    const frames = readEvents(await server.send(listen({ resourceSubscriptions: ["a://x"] })));
    assert.equal((await next(frames)).method, "notifications/subscriptions/acknowledged");
    const { params } = await next(frames);
    assert.deepEqual(params, { _meta: { [SUBSCRIPTION]: "s" }, uri: "a://x" });
    assert.deepEqual(methodsOf(server.received()), ["subscriptions/listen"]);
    await frames.return();
    await waitUntilGone(server.token);
  });

  test("is not ended by an answer to something else, nor kept by a server that breaks its protocol", async (t) => {
    const server = observe(t, "modern-watches", { ...SERVE, config: { era: "modern" } });
    const frames = readEvents(await server.send(listen({ resourceSubscriptions: ["stray:"] })));
    await next(frames);
    assert.equal((await next(frames)).method, "notifications/resources/updated");
    await frames.return();
    const { error } = await server.ask(listen({ resourceSubscriptions: ["asks:"] }));
    assert.equal(error?.data?.["reason"], "protocol");
  });

  test("ends when the server ends it", async (t) => {
    const server = observe(t, "modern-watches", SERVE);
    const frames = await readAll(await server.send(listen({ resourceSubscriptions: ["end:"] })));
    assert.equal(frames.map(toldBy).at(-1)?.result?.["resultType"], "complete");
    await waitUntilGone(server.token);
  });

  test("is refused when the server refuses it", async (t) => {
    const server = observe(t, "modern-watches", SERVE);
    const { error } = await server.ask(listen({ resourceSubscriptions: ["refuse:"] }));
    assert.equal(error?.message, "Nothing to watch");
  });
});

for (const name of ["legacy-watches", "modern-watches"]) {
  describe(`a subscription before ${name} ends gracefully`, () => {
    test("when the host shuts down", async (t) => {
      const server = observe(t, name, SERVE);
      const frames = await opened(server);
      const closed = server.close();
      assert.deepEqual(await lastOf(frames), graceful());
      await within(closed, 5000, "the handler closes");
    });

    test("when the server ends by itself", async (t) => {
      const server = observe(t, name, SERVE);
      const frames = await opened(server);
      for (const { pid } of processesWith(server.token)) process.kill(pid, "SIGKILL");
      assert.deepEqual(await lastOf(frames), graceful());
    });
  });
}

function graceful(): Params {
  return { jsonrpc: "2.0", id: "s", result: { resultType: "complete", _meta: { [SUBSCRIPTION]: "s" } } };
}

async function opened(server: Observed): Promise<AsyncGenerator<Frame, void, void>> {
  const frames = readEvents(await server.send(listen({ resourceSubscriptions: ["a://x"] })));
  await next(frames);
  await next(frames);
  return frames;
}

async function lastOf(frames: AsyncGenerator<Frame, void, void>): Promise<Told | undefined> {
  let last: Told | undefined;
  for await (const frame of frames) if (frame.data !== undefined) last = toldBy(frame);
  return last;
}

test("a subscription lasts however much its server writes", async (t) => {
  const frames = await opened(observe(t, "legacy-watches", { ...SERVE, maxOutputBytes: 1 }));
  await frames.return();
});

test("of several callers none gets more than half of the places for subscriptions", async (t) => {
  const server = observe(t, "legacy-watches", { ...SERVE, authKeys: ["ann", "eve"], maxProcesses: 4 });
  const as = (key: string, init: RequestInit): RequestInit => ({
    ...init,
    headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${key}` },
  });
  const first = await server.send(as("eve", listen({})));
  const refused = await server.send(as("eve", listen({})));
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.match(await refused.text(), /has its share, 1 of the places/);
  const other = await server.send(as("ann", listen({})));
  assert.deepEqual([first.status, other.status], [200, 200]);
  assert.equal(server.started(), 2);
  for (const { body } of [first, other]) await body?.cancel();
});

test("subscriptions leave half of the places to others, and give theirs back", async (t) => {
  const server = observe(t, "legacy-watches", { ...SERVE, maxProcesses: 4 });
  const [first, second] = [await opened(server), await opened(server)];
  const { status, error } = await server.ask(listen({}));
  assert.deepEqual([status, error?.data?.["reason"]], [503, "overloaded"]);
  await first.return();
  await second.return();
  await waitUntilGone(server.token);
  const third = await opened(server);
  await third.return();
});
