import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { serve } from "../../lib/adapters/node.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import { browserFetch } from "../support/browser.ts";
import { within } from "../support/deadline.ts";
import { readEvents } from "../support/event-stream.ts";
import { fixture } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, initialize, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;
const INSPECTOR = "http://localhost:6274";
const APP = "https://app.example.com";

/** The adapter over one fixture; after the test it is closed, and no process may be left. */
async function urlOf(t: TestContext, name: string, options: Partial<ServeOptions> = {}): Promise<string> {
  const { command, args, token } = fixture(name);
  const server = await serve({ mcpServers: { [name]: { command, args } }, port: 0, ...options });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return server.url;
}

/** The status of the answer that the page reads. */
async function statusFor(origin: string, url: string, init?: RequestInit): Promise<number> {
  const response = await within(browserFetch({ origin })(url, init), WAIT_MS, "an answer");
  await within(response.text(), WAIT_MS, "its body");
  return response.status;
}

describe("a page on another port of this machine", () => {
  test("calls and reads, when its origin is listed", async (t) => {
    for (const origins of [[INSPECTOR], ["http://localhost:*"], ["*"]]) {
      const url = await urlOf(t, "counter", { corsOrigins: origins });
      assert.equal(await statusFor(INSPECTOR, `${url}/mcp`, post(call("count"))), 200);
    }
  });

  test("cannot read without that, although it is let in", async (t) => {
    const url = await urlOf(t, "counter");
    await assert.rejects(statusFor(INSPECTOR, `${url}/health`), /Access-Control-Allow-Origin is null/);
    const sent = await fetch(`${url}/health`, { headers: { origin: INSPECTOR } });
    assert.equal(sent.status, 200);
  });
});

test("the SDK's client works in a page, from the handshake to a tool", async (t) => {
  const url = await urlOf(t, "counter", { corsOrigins: [INSPECTOR], authKeys: ["k3y"] });
  const client = new Client({ name: "page", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
    fetch: browserFetch({ origin: INSPECTOR }),
    requestInit: { headers: { Authorization: "Bearer k3y" } },
  });
  t.after(() => client.close());
  await within(client.connect(transport), WAIT_MS, "the handshake");
  const { content } = await within(client.callTool({ name: "count" }), WAIT_MS, "the tool");
  assert.deepEqual(content, [{ type: "text", text: "1" }]);
});

test("a page reads an event stream while it is written, and the session's id", async (t) => {
  const page = browserFetch({ origin: APP });
  const url = await urlOf(t, "progress", { corsOrigins: [APP] });
  const opened = await within(page(`${url}/mcp`, post(initialize())), WAIT_MS, "a session");
  assert.match(opened.headers.get("mcp-session-id") ?? "", /./);
  await opened.text();
  const body = call("progress", { steps: 3, delayMs: 10 }, { meta: { progressToken: 1 } });
  const response = await within(page(`${url}/mcp`, post(body)), WAIT_MS, "a stream");
  const frames: string[] = [];
  for await (const { data } of readEvents(response)) if (data) frames.push(data);
  assert.ok(frames.some((data) => data.includes("notifications/progress")));
  assert.match(frames.at(-1) ?? "", /3 steps done/);
});

describe("a page reads the error", () => {
  const rows: readonly (readonly [status: number, path: string, init: RequestInit])[] = [
    [401, "/mcp", post(call("count"))],
    [401, "/mcp", { method: "DELETE" }],
    [404, "/nowhere", post(call("count"), { "mcp-protocol-version": "2025-11-25", "x-api-key": "k3y" })],
    [404, "/.well-known/oauth-protected-resource", { headers: { "mcp-protocol-version": "2025-11-25" } }],
    [405, "/mcp", { method: "DELETE", headers: { "x-api-key": "k3y" } }],
    [413, "/mcp", post(call("count", { text: "x".repeat(200) }), { "x-api-key": "k3y" })],
  ];
  for (const [status, path, init] of rows) {
    test(`${status} of ${init.method ?? "GET"} ${path}`, async (t) => {
      const options = { corsOrigins: [APP], authKeys: ["k3y"], maxBodyBytes: 100 };
      const url = await urlOf(t, "counter", options);
      assert.equal(await statusFor(APP, url + path, init), status);
    });
  }

  test("that it has no key, and which one is wanted", async (t) => {
    const url = await urlOf(t, "counter", { corsOrigins: [APP], authKeys: ["k3y"] });
    const response = await browserFetch({ origin: APP })(`${url}/mcp`, post(call("count")));
    assert.equal(response.headers.get("www-authenticate"), "Bearer");
    assert.match(await response.text(), /The key is missing or wrong/);
  });
});

test("a page that asks for cookies gets through where the operator allows them, and only there", async (t) => {
  const page = browserFetch({ origin: APP, credentials: true });
  const withThem = await urlOf(t, "counter", { cors: { origins: [APP], credentials: true } });
  const init = post(call("count"), { authorization: "Bearer x" });
  assert.equal((await page(`${withThem}/mcp`, init)).status, 200);
  for (const origins of [["*"], [APP]]) {
    const without = await urlOf(t, "counter", { cors: { origins } });
    await assert.rejects(page(`${without}/mcp`, init), /Access-Control-Allow-(?:Origin|Credentials) is/);
  }
});

test("a page from elsewhere is refused before its request is sent", async (t) => {
  const url = await urlOf(t, "counter", { corsOrigins: [APP] });
  const origin = "https://evil.example";
  await assert.rejects(statusFor(origin, `${url}/mcp`, post(call("count"))), /Access-Control-Allow-Origin/);
  const headers = { origin, "access-control-request-method": "POST" };
  const preflight = await fetch(`${url}/mcp`, { method: "OPTIONS", headers });
  assert.equal(preflight.status, 403);
});

test("a header and a method that the operator leaves out keep the page from sending", async (t) => {
  const cors = { origins: [APP], methods: ["POST"], allowedHeaders: ["Content-Type"] };
  const url = await urlOf(t, "counter", { cors });
  assert.equal(await statusFor(APP, `${url}/mcp`, post(call("count"))), 200);
  const keyed = post(call("count"), { "x-api-key": "k" });
  await assert.rejects(statusFor(APP, `${url}/mcp`, keyed), /the header x-api-key is not allowed/);
  await assert.rejects(statusFor(APP, `${url}/mcp`, { method: "DELETE" }), /DELETE is not allowed/);
});
