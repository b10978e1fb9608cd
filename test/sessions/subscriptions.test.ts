import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until, within } from "../support/deadline.ts";
import type { LiveStream } from "../support/live-stream.ts";
import { call, post, request } from "../support/rpc.ts";
import { memoryOf, pidOf, serveSessions } from "../support/sessions.ts";
import type { Served } from "../support/sessions.ts";
import { answering, saying } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";
import type { StreamableClient } from "../support/streamable-client.ts";

// Source: 2025-11-25/server/resources, Subscriptions.

const WAIT_MS = 10_000;
const SUBSCRIBE = "resources/subscribe";
const UNSUBSCRIBE = "resources/unsubscribe";
const UPDATED = "notifications/resources/updated";
const LAST_WORD = "notifications/prompts/list_changed";
const URI = "test://one";
const CANNOT_STOP = process.platform === "win32" && "no process can be stopped";

interface Client extends StreamableClient {
  /** Its standalone stream. */
  readonly own: LiveStream;
}

interface Three extends Served {
  readonly one: Client;
  readonly two: Client;
  /** Subscribes to nothing. */
  readonly speaker: Client;
}

async function connect(t: TestContext, url: string): Promise<Client> {
  const client = await connectStreamable(t, url);
  return { ...client, own: await client.listen() };
}

/** Three clients of one process, which listen. */
async function connectThree(t: TestContext): Promise<Three> {
  const served = await serveSessions(t, "talks-on-demand", { sessions: "shared" });
  const [one, two] = [await connect(t, served.url), await connect(t, served.url)];
  return { ...served, one, two, speaker: await connect(t, served.url) };
}

/** Lets the server say that these have changed; what each client has heard of when it has said all. */
async function heardOf(uris: readonly string[], { one, two, speaker }: Three): Promise<unknown[][]> {
  const updates = uris.map((uri) => ({ method: UPDATED, params: { uri } }));
  await speaker.call("tell", { notifications: [...updates, { method: LAST_WORD }] });
  const clients = [one, two, speaker];
  for (const { own } of clients) await own.take(saying(LAST_WORD), "the last word");
  return clients.map(({ own }) => own.messages.filter(saying(UPDATED)).map(({ params }) => params?.["uri"]));
}

/** Not over the network: the handler has both before it can have an answer to one. */
function sendBoth(
  { server, url }: Served,
  messages: readonly (readonly [client: Client, method: string])[],
): Promise<Response[]> {
  const answers = messages.map(([client, method]) => {
    const headers = { "mcp-session-id": client.id, "mcp-protocol-version": "2025-11-25" };
    const body = request(method, { uri: URI }, method);
    return server.handler.fetch(new Request(`${url}/mcp`, post(body, headers)));
  });
  return within(Promise.all(answers), WAIT_MS, "both answers");
}

describe("clients that subscribe to one resource", () => {
  for (const isFirst of [true, false]) {
    const order = isFirst ? "before" : "after";
    test(`hear of it when one unsubscribes just ${order} another one subscribes`, async (t) => {
      const three = await connectThree(t);
      const { one, two } = three;
      await one.ask(request(SUBSCRIBE, { uri: URI }, "s"));
      const messages = [
        [one, UNSUBSCRIBE],
        [two, SUBSCRIBE],
      ] as const;
      const answers = await sendBoth(three, isFirst ? messages : messages.toReversed());
      for (const answer of answers) assert.match(await answer.text(), /"result":\{\}/);
      assert.deepEqual(await heardOf([URI], three), [[], [URI], []]);
      // The last of them that the server was told must not be the end of it.
      const told = three.received.flatMap(({ method }) =>
        method === SUBSCRIBE || method === UNSUBSCRIBE ? [method] : [],
      );
      assert.equal(told.at(-1), SUBSCRIBE, `it was told ${told.join(", ")}`);
    });
  }

  test("are not silenced by a client that never subscribed", async (t) => {
    const three = await connectThree(t);
    await three.one.ask(request(SUBSCRIBE, { uri: URI }, "s"));
    assert.deepEqual((await three.two.ask(request(UNSUBSCRIBE, { uri: URI }, "u"))).result, {});
    assert.deepEqual((await memoryOf(three.two)).unsubscribed, []);
    assert.deepEqual(await heardOf([URI], three), [[URI], [], []]);
  });

  test("are not silenced by a client that spells it in another way, which a server may take for the same", async (t) => {
    const { one, two } = await connectThree(t);
    await one.ask(request(SUBSCRIBE, { uri: URI }, "s"));
    assert.deepEqual((await two.ask(request(UNSUBSCRIBE, { uri: URI.toUpperCase() }, "u"))).result, {});
    assert.deepEqual((await memoryOf(two)).unsubscribed, []);
  });

  test("hear of its parts, and of nothing else", async (t) => {
    const three = await connectThree(t);
    await three.one.ask(request(SUBSCRIBE, { uri: "test://one/a" }, "s"));
    await three.two.ask(request(SUBSCRIBE, { uri: "test://two/" }, "s"));
    const parts = ["test://one/a/b", "test://one/a?c", "test://one/a#d"];
    const others = ["test://one/ab", "test://one", "test://other", "test://two"];
    const heard = await heardOf([...others, ...parts, "test://two/x"], three);
    assert.deepEqual(heard, [parts, ["test://two/x"], []]);
  });
});

describe("a subscription that has no answer yet", { skip: CANNOT_STOP }, () => {
  test("is ended at the server when its only client leaves", async (t) => {
    const { one, two, received } = await connectThree(t);
    const pid = await pidOf(two);
    // The server reads it, and answers, when all is over.
    process.kill(pid, "SIGSTOP");
    const asked = await one.post(request(SUBSCRIBE, { uri: URI }, "s"));
    await until(() => received.some(saying(SUBSCRIBE)), { withinMs: WAIT_MS, label: "it is on its way" });
    assert.equal((await one.delete()).status, 204);
    await asked.body?.cancel();
    process.kill(pid, "SIGCONT");
    const isOver = async (): Promise<boolean> => (await memoryOf(two)).unsubscribed.includes(URI);
    await until(isOver, { withinMs: WAIT_MS, label: "the server is unsubscribed" });
  });

  test("is not ended by another client that never subscribed", async (t) => {
    const three = await connectThree(t);
    const { one, two, received } = three;
    const pid = await pidOf(two);
    process.kill(pid, "SIGSTOP");
    const asked = await one.stream(request(SUBSCRIBE, { uri: URI }, "s"));
    await until(() => received.some(saying(SUBSCRIBE)), { withinMs: WAIT_MS, label: "it is on its way" });
    const other = await two.stream(request(UNSUBSCRIBE, { uri: URI }, "u"));
    process.kill(pid, "SIGCONT");
    assert.deepEqual((await asked.take(answering("s"), "the answer to one")).result, {});
    assert.deepEqual((await other.take(answering("u"), "the answer to the other")).result, {});
    assert.deepEqual((await memoryOf(two)).unsubscribed, []);
    assert.deepEqual(await heardOf([URI], three), [[URI], [], []]);
  });
});

for (const sessions of ["shared", "independent"] as const) {
  test(`a uri that is none is refused, and leaves nothing behind (sessions ${sessions})`, async (t) => {
    let closed = 0;
    const onClose = (): void => void (closed += 1);
    const options = { sessions, sessionIdleMs: 2000, onClose };
    const { url, received } = await serveSessions(t, "remembers", options);
    const client = await connectStreamable(t, url);
    for (const method of [SUBSCRIBE, UNSUBSCRIBE]) {
      for (const uri of [{ toString: 1 }, 7, null, undefined]) {
        assert.equal((await client.ask(request(method, { uri }, method))).error?.code, -32602);
      }
    }
    assert.deepEqual(received.filter(saying(SUBSCRIBE)), []);
    assert.ok((await client.ask(call("count"))).result);
    await until(() => closed === 1, { withinMs: WAIT_MS, label: "the session has expired" });
  });
}
