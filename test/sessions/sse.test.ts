import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { until, within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { modern } from "../support/modern.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, initialize, post, request } from "../support/rpc.ts";
import { memoryOf, serveSessions, textOf } from "../support/sessions.ts";
import { answering, connectSse } from "../support/sse-client.ts";

const WAIT_MS = 10_000;
const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

test("a batch of more than 100 messages is refused before any of them is read", async (t) => {
  const { url, received } = await serveSessions(t, "remembers");
  const client = await connectSse(t, url);
  const many = Array.from({ length: 101 }, (_, id) => call("count", {}, { id }));
  const response = await client.post([...many.slice(1), "no message"]);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /more than 100 elements/);
  await client.send(many.slice(1));
  const { result } = await client.take(answering(100), "the last answer");
  assert.deepEqual(result, { content: [{ type: "text", text: "100" }] });
  assert.equal(received.filter(({ method }) => method === "tools/call").length, 100);
});

describe("GET /sse", () => {
  test("opens an event stream that begins with the event endpoint, and starts no process", async (t) => {
    const { url, pids, starts } = await serveSessions(t, "remembers");
    const { response, reference } = await connectSse(t, url);
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    assert.match(response.headers.get("cache-control") ?? "", /no-store/);
    assert.match(response.headers.get("cache-control") ?? "", /no-transform/);
    assert.equal(response.headers.get("x-accel-buffering"), "no");
    assert.match(reference, new RegExp(`^messages\\?sessionId=${UUID}$`));
    assert.deepEqual([pids(), starts()], [[], 0]);
  });

  for (const path of ["/sse", "/sse/only", "/servers/only/sse"]) {
    test(`${path} names a place to post to, below any prefix`, async (t) => {
      const { url } = await serveSessions(t, "remembers");
      const client = await connectSse(t, url, { path });
      assert.equal(textOf(await client.call("count")), "1");
      // A proxy that serves us below a prefix sees the same reference.
      const proxied = new URL(client.reference, `http://proxy.example/some/prefix${path}`);
      assert.equal(proxied.pathname, `/some/prefix${client.endpoint.pathname}`);
      assert.equal(proxied.host, "proxy.example");
    });
  }

  test("with a path of its own names a place that fits", async (t) => {
    const paths = { sse: "/events", messages: "/inbox/post" };
    const { url } = await serveSessions(t, "remembers", { paths });
    const client = await connectSse(t, url, { path: "/events" });
    assert.equal(client.endpoint.pathname, "/inbox/post");
    assert.equal(textOf(await client.call("count")), "1");
  });

  test("of an image on another site's page is 403, which sends no Origin", async (t) => {
    const { server, url } = await serveSessions(t, "remembers");
    const statusOf = async (headers: Readonly<Record<string, string>>): Promise<number> => {
      const response = await server.handler.fetch(new Request(`${url}/sse`, { headers }));
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await statusOf({ "sec-fetch-site": "cross-site" }), 403);
    assert.equal(await statusOf({ "sec-fetch-site": "none" }), 200);
  });

  test("of a server that is not there is 404", async (t) => {
    const { url } = await serveSessions(t, "remembers");
    const response = await within(fetch(`${url}/sse/other`), WAIT_MS, "an answer");
    assert.equal(response.status, 404, await response.text());
  });

  test("is one of the methods; others are 405, as clients that try streamable HTTP first expect", async (t) => {
    const { url } = await serveSessions(t, "remembers");
    for (const [path, method, allowed] of [
      ["/sse", "POST", "GET"],
      ["/sse", "DELETE", "GET"],
      ["/messages", "GET", "POST"],
    ] as const) {
      const init = method === "POST" ? post(initialize()) : { method };
      const response = await within(fetch(url + path, init), WAIT_MS, "an answer");
      assert.equal(response.status, 405, `${method} ${path}: ${await response.text()}`);
      assert.match(response.headers.get("allow") ?? "", new RegExp(allowed));
    }
  });

  test("sends a comment in every interval, and nothing else", async (t) => {
    const { url } = await serveSessions(t, "remembers", { heartbeatMs: 40 });
    const client = await connectSse(t, url);
    await until(() => client.comments() >= 3, { withinMs: WAIT_MS, label: "three comments" });
    assert.equal(client.frames.length, client.comments() + 1);
  });

  test("is 404 where only streamable HTTP is served, and the other way round", async (t) => {
    const mcp = await serveSessions(t, "remembers", { transports: ["mcp"] });
    const sse = await serveSessions(t, "remembers", { transports: ["sse"] });
    const statusOf = async (target: string, init?: RequestInit): Promise<number> => {
      const response = await within(fetch(target, init), WAIT_MS, "an answer");
      await response.text();
      return response.status;
    };
    assert.equal(await statusOf(`${mcp.url}/sse`), 404);
    assert.equal(await statusOf(`${mcp.url}/messages`, post(initialize())), 404);
    assert.equal(await statusOf(`${sse.url}/mcp`, post(initialize())), 404);
    const client = await connectSse(t, sse.url);
    assert.equal(textOf(await client.call("count")), "1");
  });
});

describe("POST /messages", () => {
  for (const name of ["sessionId", "session_id"]) {
    test(`with ${name} is accepted, and answered by an event message`, async (t) => {
      const { url } = await serveSessions(t, "remembers");
      const client = await connectSse(t, url);
      const id = client.endpoint.searchParams.get("sessionId") ?? "";
      const target = `${url}/messages?${name}=${id}`;
      const response = await within(fetch(target, post(initialize({ id: "first" }))), WAIT_MS, "an answer");
      assert.equal(response.status, 202, await response.text());
      const answer = await client.take(answering("first"), "the answer to initialize");
      assert.equal(answer.result?.["protocolVersion"], "2025-11-25");
      assert.equal(client.frames.find(({ data }) => data?.includes('"first"'))?.event, "message");
    });
  }

  test("in front of a client that has not initialized makes the handshake for it", async (t) => {
    const { url } = await serveSessions(t, "remembers");
    const client = await connectSse(t, url);
    const { handshakes, initialized } = await memoryOf(client);
    assert.deepEqual([handshakes.length, initialized], [1, 1]);
  });

  test("of a session that is not there is 404", async (t) => {
    const { url, pids } = await serveSessions(t, "remembers");
    await connectSse(t, url);
    const target = `${url}/messages?sessionId=3f0c3d2e-9d0c-4a57-8a52-0d3b5b6f6a11`;
    const response = await within(fetch(target, post(call("count"))), WAIT_MS, "an answer");
    assert.equal(response.status, 404, await response.text());
    assert.deepEqual(pids(), []);
  });

  test("of a session whose stream has ended is 404", async (t) => {
    const { url } = await serveSessions(t, "remembers");
    const client = await connectSse(t, url);
    client.close();
    const isGone = async (): Promise<boolean> => {
      const response = await client.post(request("ping"));
      await response.text();
      return response.status === 404;
    };
    await until(isGone, { withinMs: WAIT_MS, label: "the session is over" });
  });

  test("refuses what is no message, of another type, or too large", async (t) => {
    const { url, pids } = await serveSessions(t, "remembers", { maxBodyBytes: 1000 });
    const client = await connectSse(t, url);
    const refused = async (body: string, headers = {}): Promise<[number, number | undefined]> => {
      const response = await client.post(body, headers);
      const { error } = (await response.json()) as { error?: { code: number } };
      return [response.status, error?.code];
    };
    assert.deepEqual(await refused("{"), [400, -32700]);
    assert.deepEqual(await refused('{"jsonrpc":"2.0"}'), [400, -32600]);
    assert.deepEqual(await refused('{"id":1,"method":"ping"}'), [400, -32600]);
    const [type] = await refused(JSON.stringify(request("ping")), { "content-type": "text/plain" });
    assert.equal(type, 400);
    const [size] = await refused(JSON.stringify(request("ping", { filling: "x".repeat(1000) })));
    assert.equal(size, 413);
    assert.deepEqual([pids(), client.messages], [[], []]);
  });

  test("takes no request of 2026-07-28", async (t) => {
    const { url, pids } = await serveSessions(t, "remembers");
    const client = await connectSse(t, url);
    const { body, headers } = modern("tools/list");
    const response = await client.post(body, headers);
    const { id, error } = (await response.json()) as { id?: number; error?: { code: number } };
    assert.deepEqual([response.status, id, error?.code], [400, 1, -32022]);
    assert.deepEqual([pids(), client.messages], [[], []]);
  });

  test("passes what it does not know, byte for byte", async (t) => {
    const { url } = await serveSessions(t, "echo");
    const client = await connectSse(t, url);
    const body = `{"jsonrpc":"2.0","id":9007199254740993,"method":"x/unknown","params":{"big":1}}`;
    const accepted = await client.post(body);
    assert.equal(accepted.status, 202, await accepted.text());
    const find = () => client.frames.find(({ data }) => data?.includes("x/unknown"));
    const frame = await until(find, { withinMs: WAIT_MS, label: "the answer" });
    assert.match(frame.data ?? "", /"id":9007199254740993[,}]/);
    assert.match(frame.data ?? "", /"result":\{"method":"x\/unknown","params":\{"big":1\}\}/);
  });
});

describe("the key", () => {
  test("is asked for at GET, and the session id is enough from then on", async (t) => {
    const { url } = await serveSessions(t, "remembers", { authKeys: ["k3y"] });
    const refused = await within(fetch(`${url}/sse`), WAIT_MS, "an answer");
    assert.equal(refused.status, 401, await refused.text());
    const client = await connectSse(t, url, { path: "/sse?auth_key=k3y" });
    assert.doesNotMatch(client.reference, /k3y/);
    assert.equal(textOf(await client.call("count")), "1");
    const other = await connectSse(t, url, { headers: { authorization: "Bearer k3y" } });
    assert.equal(textOf(await other.call("count")), "2");
  });

  test("does not open the session of somebody else", async (t) => {
    const { url } = await serveSessions(t, "remembers", { authKeys: ["k3y", "other"] });
    await connectSse(t, url, { path: "/sse?auth_key=k3y" });
    const init = post(call("count"), { "x-api-key": "other" });
    const response = await within(fetch(`${url}/messages?sessionId=guessed`, init), WAIT_MS, "an answer");
    assert.equal(response.status, 404, await response.text());
  });
});

test("each of several servers is served by its own process", async (t) => {
  const [one, two] = [fixture("counter"), fixture("counter")];
  const configOf = ({ command, args }: typeof one) => ({ command, args });
  const mcpServers = { one: configOf(one), two: configOf(two) };
  const { url } = await serveSessions(t, "remembers", { mcpServers });
  t.after(() => Promise.all([waitUntilGone(one.token), waitUntilGone(two.token)]));
  const [first, second] = [
    await connectSse(t, url, { path: "/sse/one" }),
    await connectSse(t, url, { path: "/sse/two" }),
  ];
  assert.equal(textOf(await first.call("count")), "1");
  assert.equal(textOf(await first.call("count")), "2");
  assert.equal(textOf(await second.call("count")), "1");
});
