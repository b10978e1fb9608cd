import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until, within } from "../support/deadline.ts";
import type { Message } from "../support/live-stream.ts";
import { call, notification, post, request } from "../support/rpc.ts";
import type { RequestBody } from "../support/rpc.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import type { Served, ServedOptions } from "../support/sessions.ts";
import { connectSse } from "../support/sse-client.ts";
import { answerOf, connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 10_000;

/** What every kind of client can do. */
interface Client {
  /** Posts what is no request, which may be refused. */
  note(body: object): Promise<unknown>;
  ask(body: RequestBody): Promise<Message>;
}

interface Way {
  readonly name: string;
  readonly options: ServedOptions;
  readonly connect: (t: TestContext, served: Served) => Promise<Client>;
}

async function overSse(t: TestContext, { url }: Served): Promise<Client> {
  const client = await connectSse(t, url);
  await client.initialize();
  return { note: async (body) => (await client.post(body)).text(), ask: (body) => client.ask(body) };
}

async function inSession(t: TestContext, { url }: Served): Promise<Client> {
  const client = await connectStreamable(t, url);
  return { note: async (body) => (await client.post(body)).text(), ask: (body) => client.ask(body) };
}

async function alone(_t: TestContext, { url }: Served): Promise<Client> {
  const send = (body: object): Promise<Response> =>
    within(fetch(`${url}/mcp`, post(body)), WAIT_MS, "an answer");
  return {
    note: async (body) => (await send(body)).text(),
    ask: async (body) => answerOf(await send(body), body),
  };
}

const WAYS: readonly Way[] = [
  { name: "a shared session", options: { sessions: "shared" }, connect: inSession },
  { name: "a session with a process of its own", options: { sessions: "independent" }, connect: inSession },
  { name: "HTTP+SSE, shared", options: { sharedSession: true }, connect: overSse },
  { name: "HTTP+SSE, with a process of its own", options: { sharedSession: false }, connect: overSse },
  { name: "a POST to a shared process", options: { sessions: "shared" }, connect: alone },
  { name: "a POST with a process of its own", options: { sessions: "independent" }, connect: alone },
  { name: "a POST without sessions", options: { sessions: "none" }, connect: alone },
];

for (const { name, options, connect } of WAYS) {
  test(`over ${name}, a call without an id never reaches the server`, async (t) => {
    const served = await serveSessions(t, "remembers", options);
    const client = await connect(t, served);
    await client.ask(call("count", {}, { id: "before" }));
    for (const method of ["tools/call", "resources/read", "anything"]) {
      await client.note(notification(method, { name: "count", arguments: {} }));
    }
    await client.ask(call("count", {}, { id: "after" }));
    const told = served.received.filter(({ id }) => id === undefined).map(({ method }) => method);
    assert.deepEqual(new Set(told), new Set(["notifications/initialized"]));
  });
}

describe("a request that is called like a notification", () => {
  for (const { name, options, connect } of WAYS.slice(0, 4)) {
    test(`over ${name} is refused, and cancels nothing`, async (t) => {
      const served = await serveSessions(t, "remembers", options);
      const client = await connect(t, served);
      const held = client.ask(call("hold", { key: "k" }, { id: "h" }));
      const isHeld = (): boolean => served.received.some(({ params }) => params?.["name"] === "hold");
      await until(isHeld, { withinMs: WAIT_MS, label: "the server holds the call" });
      const { error } = await client.ask(request("notifications/cancelled", { requestId: "h" }, "c"));
      assert.equal(error?.code, -32601);
      await client.ask(call("release", { key: "k" }, { id: "r" }));
      assert.equal(textOf(await held), "held k");
      assert.equal(
        served.received.some(({ method }) => method === "notifications/cancelled"),
        false,
      );
    });
  }
});
