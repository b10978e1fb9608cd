import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { temporaryFolder, waitForLine } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import type { Message } from "../support/live-stream.ts";
import { modernCall } from "../support/modern.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, initialize, notification, post, request } from "../support/rpc.ts";
import { textOf } from "../support/sessions.ts";
import { connectSse } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";
import { ask } from "./asking.ts";
import { ROUND_ROBIN, STICKY_NGINX } from "./balancers.ts";
import { startFleet } from "./fleet.ts";
import type { Fleet, FleetOptions } from "./fleet.ts";
import { sharedScope } from "../support/shared-scope.ts";
import { fixtureServers } from "./servers.ts";

const ACCEPTED = { action: "accept", content: { name: "Ada" } };
const KEYS = ["key-1", "key-2", "key-3", "key-4", "key-5", "key-6", "key-7", "key-8"];

function fleetOf(token: string): Pick<FleetOptions, "instances" | "mcpServers" | "token" | "args" | "env"> {
  return {
    instances: 2,
    token,
    mcpServers: {
      ...fixtureServers(token, ["remembers", "slow"]),
      ...fixtureServers(token, ["legacy-asks"], { inputMode: "hold" }),
    },
    args: ["--sessions", "independent", "--shared-session", "false"],
    env: { AUTH_KEY: KEYS.join(",") },
  };
}

describe("two instances in turn, and what only one of them knows", { concurrency: false }, () => {
  const [scope, token, headers] = [sharedScope(), testToken(), { "x-api-key": "key-1" }];
  let fleet: Fleet;
  before(async () => {
    fleet = await startFleet(scope, { balancer: ROUND_ROBIN, ...fleetOf(token) });
  });
  after(() => scope.end());

  test("a session is unknown to the other instance: 404, which tells clients to begin another", async () => {
    const path = `${fleet.url}/mcp/remembers`;
    const begun = await ask(path, post(initialize(), headers));
    const own = { ...headers, "mcp-session-id": begun.sessionId };
    const elsewhere = await ask(path, post(call("count"), own));
    assert.notEqual(elsewhere.instance, begun.instance);
    assert.equal(elsewhere.status, 404);
    assert.match(elsewhere.message.error?.message ?? "", /^This session is not known: initialize again/);
    const there = await ask(path, post(call("count"), own));
    assert.deepEqual([there.instance, textOf(there.message)], [begun.instance, "1"]);
    await fetch(`http://${begun.instance}/mcp/remembers`, { method: "DELETE", headers: own });
    await waitUntilGone(token);
  });

  test("a message for a stream of HTTP+SSE is refused by the other instance: 404", async (t) => {
    const client = await connectSse(t, fleet.url, { path: "/sse/remembers", headers });
    const elsewhere = await client.post(initialize());
    assert.equal(elsewhere.status, 404);
    assert.match(await elsewhere.text(), /This event stream is not open here: open it again/);
    assert.equal((await client.post(initialize())).status, 202);
    await client.take(({ result }) => result !== undefined, "the answer to initialize");
    client.close();
    await waitUntilGone(token);
  });

  test("a process that is held for an answer is not found from the other instance: 400", async () => {
    const path = `${fleet.url}/mcp/legacy-asks`;
    const options = { capabilities: { elicitation: {} }, headers };
    const asked = await ask(path, modernCall("ask-one", {}, options));
    const requestState = String(asked.message.result?.["requestState"]);
    const retry = modernCall("ask-one", {}, { ...options, requestState, inputResponses: { q0: ACCEPTED } });
    const elsewhere = await ask(path, retry);
    assert.notEqual(elsewhere.instance, asked.instance);
    assert.deepEqual([elsewhere.status, elsewhere.message.error?.code], [400, -32602]);
    assert.match(elsewhere.message.error?.message ?? "", /^continuation expired/);
    const there = await ask(path, retry);
    assert.match(textOf(there.message), /Ada/);
    await waitUntilGone(token);
  });
});

describe("two instances by caller", { concurrency: false, skip: STICKY_NGINX.skip }, () => {
  const [scope, token] = [sharedScope(), testToken()];
  let fleet: Fleet;
  before(async () => {
    fleet = await startFleet(scope, { balancer: STICKY_NGINX, ...fleetOf(token) });
  });
  after(() => scope.end());

  test("every caller keeps its instance, and both have callers", async () => {
    const instances = new Set<string>();
    for (const key of [...KEYS, ...KEYS]) {
      instances.add(
        (await ask(`${fleet.url}/mcp/slow`, post(request("ping"), { "x-api-key": key }))).instance,
      );
    }
    assert.equal(instances.size, 2);
  });

  test("sessions work, by every way to send a key", async (t) => {
    for (const key of KEYS.slice(0, 4)) {
      for (const headers of [{ "x-api-key": key }, { authorization: `Bearer ${key}` }]) {
        const client = await connectStreamable(t, fleet.url, { path: "/mcp/remembers", headers });
        const counts = [textOf(await client.call("count")), textOf(await client.call("count"))];
        assert.deepEqual(counts, ["1", "2"]);
        await client.delete();
      }
    }
    await waitUntilGone(token);
  });

  test("HTTP+SSE works", async (t) => {
    const client = await connectSse(t, fleet.url, {
      path: "/sse/remembers",
      headers: { "x-api-key": "key-3" },
    });
    // Its messages need no key, but go where the stream is only with it.
    const answer = (id: number) => (message: Message) => message.id === id;
    await client.post(initialize({ id: 1 }), { "x-api-key": "key-3" });
    await client.take(answer(1), "the answer to initialize");
    client.close();
    await waitUntilGone(token);
  });

  test("a held process gets its answer", async () => {
    const path = `${fleet.url}/mcp/legacy-asks`;
    const options = { capabilities: { elicitation: {} }, headers: { "x-api-key": "key-2" } };
    const asked = await ask(path, modernCall("ask-one", {}, options));
    const requestState = String(asked.message.result?.["requestState"]);
    const retry = { ...options, requestState, inputResponses: { q0: ACCEPTED } };
    assert.match(textOf((await ask(path, modernCall("ask-one", {}, retry))).message), /Ada/);
    await waitUntilGone(token);
  });

  test("a call of a session is cancelled by a message of its own", async (t) => {
    const file = join(await temporaryFolder(t), "log");
    const headers = { "x-api-key": "key-5" };
    const client = await connectStreamable(t, fleet.url, { path: "/mcp/slow", headers });
    await client.stream(call("wait", { file }, { id: 5 }));
    await waitForLine(file, /^called/);
    await client.send(notification("notifications/cancelled", { requestId: 5 }));
    await waitForLine(file, /^cancelled/);
    await client.delete();
    await waitUntilGone(token);
  });
});
