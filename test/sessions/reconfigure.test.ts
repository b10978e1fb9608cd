import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import type { McpConfig, ServerConfig } from "../../lib/index.ts";
import { until } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { isAlive, waitUntilGone } from "../support/processes.ts";
import { call, notification } from "../support/rpc.ts";
import { pidOf, serveSessions, textOf } from "../support/sessions.ts";
import { answering, connectSse, saying } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 10_000;
const CHANGED = "notifications/tools/list_changed";
const PROGRESS = "notifications/progress";
/** Long enough for other requests meanwhile, also on a busy machine. */
const TEN_STEPS = call("progress", { steps: 10, delayMs: 200 }, { id: "p", meta: { progressToken: "t" } });

/** The same program under another configuration: its processes are known by another token. */
function another(t: TestContext, name = "only", config: Partial<ServerConfig> = {}): McpConfig {
  const { command, args, token } = fixture("remembers");
  t.after(() => waitUntilGone(token));
  return { mcpServers: { [name]: { command, args, ...config } } };
}

function isGone(pid: number): Promise<unknown> {
  return until(() => !isAlive(pid), { withinMs: WAIT_MS, label: `process ${pid} is gone` });
}

describe("a shared process whose server is configured anew", () => {
  test("finishes what is in flight, while the next message starts the new one", async (t) => {
    const { server, url } = await serveSessions(t, "remembers");
    const [one, two] = [await connectSse(t, url), await connectSse(t, url)];
    const pid = await pidOf(one);
    await one.send(call("hold", { key: "k" }, { id: "h" }));
    await one.call("count");
    server.handler.reconfigure(another(t));
    for (const client of [one, two]) await client.take(saying(CHANGED), "word of other tools");
    assert.notEqual(await pidOf(two), pid);
    assert.equal(isAlive(pid), true, "what was in flight was cut off");
    await one.send(notification("notifications/cancelled", { requestId: "h" }));
    await isGone(pid);
    assert.equal(textOf(await one.call("count")), "1");
  });

  test("is ended at once where nothing is in flight", async (t) => {
    const { server, url } = await serveSessions(t, "remembers");
    const client = await connectSse(t, url);
    const pid = await pidOf(client);
    server.handler.reconfigure(another(t));
    await isGone(pid);
    assert.notEqual(await pidOf(client), pid);
  });
});

test("calls that go on while the configuration changes twenty times all get their answers", async (t) => {
  const { server, url } = await serveSessions(t, "remembers", { sessions: "shared" });
  const clients = [await connectSse(t, url), await connectStreamable(t, url)];
  const work = new AbortController();
  const pids = new Set<number>();
  const workers = clients.map(async (client) => {
    let answered = 0;
    while (!work.signal.aborted) {
      pids.add(await pidOf(client));
      answered += 1;
    }
    return answered;
  });
  for (let change = 0; change < 20; change += 1) {
    const known = pids.size;
    server.handler.reconfigure(another(t));
    await until(() => pids.size > known, { withinMs: WAIT_MS, label: `change ${change} is in effect` });
  }
  work.abort();
  for (const answered of await Promise.all(workers)) assert.ok(answered > 0);
});

test("a client keeps the process that it has for itself, but not the tools that are hidden", async (t) => {
  const { server, url } = await serveSessions(t, "remembers", { sessions: "independent" });
  const client = await connectStreamable(t, url);
  const stream = await client.listen();
  const pid = await pidOf(client);
  server.handler.reconfigure(another(t, "only", { tools: { allow: ["memory"] } }));
  await stream.take(saying(CHANGED), "word of other tools");
  assert.equal(await pidOf(client), pid);
  assert.match((await client.call("count")).error?.message ?? "", /Unknown tool: count/);
});

for (const sharedSession of [true, false]) {
  test(`a server that is taken away finishes what is in flight (sharedSession ${sharedSession})`, async (t) => {
    const { server, url, token } = await serveSessions(t, "progress", { sharedSession });
    const [busy, idle] = [await connectSse(t, url), await connectSse(t, url)];
    await busy.send(TEN_STEPS);
    await busy.take(saying(PROGRESS), "the first progress");
    server.handler.reconfigure(another(t, "other"));
    const refused = await busy.call("progress", { steps: 1 });
    assert.match(refused.error?.message ?? "", /There is no server named "only"/);
    assert.equal(textOf(await busy.take(answering("p"), "the answer")), "10 steps done");
    for (const client of [busy, idle]) await client.ended();
    await waitUntilGone(token);
    assert.equal((await fetch(`${url}/sse/only`)).status, 404);
  });
}
