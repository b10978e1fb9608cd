import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../lib/index.ts";
import type { Handler, HandlerOptions, McpConfig, ServerConfig } from "../lib/index.ts";
import { until, within } from "./support/deadline.ts";
import { readEvents } from "./support/event-stream.ts";
import { temporaryFolder, waitForLine } from "./support/files.ts";
import { fixture } from "./support/fixture.ts";
import { modern } from "./support/modern.ts";
import { processesWith, waitUntilGone } from "./support/processes.ts";
import { call, post } from "./support/rpc.ts";

const WAIT_MS = 10_000;
const BASE = "http://localhost";

interface Setup extends McpConfig {
  readonly options?: Partial<HandlerOptions>;
  readonly tokens: readonly string[];
}

/** A handler that is closed after the test, when no process with one of the tokens may be left. */
function setUp(t: TestContext, { mcpServers, default: chosen, options, tokens }: Setup): Handler {
  const config = { mcpServers, ...(chosen !== undefined && { default: chosen }) };
  const handler = createHandler({ ...config, allowAnonymous: true, ...options });
  t.after(async () => {
    await within(handler.close(), WAIT_MS, "the handler closes");
    for (const token of tokens) await waitUntilGone(token);
  });
  return handler;
}

async function send(handler: Handler, path: string, init: RequestInit): Promise<Response> {
  return within(handler.fetch(new Request(`${BASE}${path}`, init)), WAIT_MS, `an answer of ${path}`);
}

async function statusOf(handler: Handler, path: string): Promise<number> {
  const response = await send(handler, path, post(call("count")));
  await response.text();
  return response.status;
}

async function textOf(handler: Handler, path: string, name: string): Promise<string | undefined> {
  const response = await send(handler, path, post(call(name)));
  const { result } = (await response.json()) as { result?: { content: { text: string }[] } };
  return result?.content[0]?.text;
}

function configOf({ command, args }: { command: string; args: readonly string[] }, env = {}): ServerConfig {
  return { command, args, env };
}

describe("another configuration", () => {
  test("adds servers, changes them, and makes those that it leaves out a 404", async (t) => {
    const [counter, environment] = [fixture("counter"), fixture("environment")];
    const tokens = [counter.token, environment.token];
    const mcpServers = { stays: configOf(counter), goes: configOf(counter), changes: configOf(counter) };
    const handler = setUp(t, { mcpServers, default: "goes", tokens });
    assert.deepEqual([await statusOf(handler, "/mcp/goes"), await statusOf(handler, "/mcp")], [200, 200]);
    const changes = configOf(environment, { NEW: "1" });
    handler.reconfigure({ mcpServers: { stays: configOf(counter), comes: configOf(counter), changes } });
    assert.equal(await textOf(handler, "/mcp/stays", "count"), "1");
    assert.equal(await textOf(handler, "/mcp/comes", "count"), "1");
    assert.match((await textOf(handler, "/mcp/changes", "environment")) ?? "", /"NEW":"1"/);
    for (const path of ["/mcp/goes", "/mcp"]) assert.equal(await statusOf(handler, path), 404);
  });

  test("gives the bare path to another server", async (t) => {
    const [counter, environment] = [fixture("counter"), fixture("environment")];
    const mcpServers = { a: configOf(counter), b: configOf(environment) };
    const handler = setUp(t, { mcpServers, default: "a", tokens: [counter.token, environment.token] });
    assert.equal(await textOf(handler, "/mcp", "count"), "1");
    handler.reconfigure({ mcpServers, default: "b" });
    assert.match((await textOf(handler, "/mcp", "environment")) ?? "", /"env"/);
    handler.reconfigure({ mcpServers: { a: configOf(counter) } });
    assert.equal(await textOf(handler, "/mcp", "count"), "1");
  });

  test("lets a request that runs finish with the server that it has", async (t) => {
    const [slow, counter] = [fixture("slow"), fixture("counter")];
    const file = `${await temporaryFolder(t)}/log`;
    const mcpServers = { a: { ...configOf(slow), requestTimeoutMs: 4000 } };
    const handler = setUp(t, { mcpServers, tokens: [slow.token, counter.token] });
    const running = send(handler, "/mcp/a", post(call("wait", { file })));
    await waitForLine(file, /^called/);
    handler.reconfigure({ mcpServers: { a: configOf(counter) } });
    assert.equal(await textOf(handler, "/mcp/a", "count"), "1");
    handler.reconfigure({ mcpServers: { b: configOf(counter) } });
    assert.equal(processesWith(slow.token).length, 1);
    // It never answers, and still has the time limit that it began with.
    assert.match(await (await running).text(), /did not answer tools\/call within 4000 milliseconds/);
    await waitUntilGone(slow.token);
  });

  test("ends a subscription to a server that is another now gracefully, and no other one", async (t) => {
    const [changes, stays] = [fixture("legacy-watches"), fixture("legacy-watches")];
    const mcpServers = { changes: configOf(changes), stays: configOf(stays) };
    const tokens = [changes.token, stays.token];
    const handler = setUp(t, { mcpServers, tokens, options: { listen: "serve" } });
    const init = modern("subscriptions/listen", { notifications: { toolsListChanged: true } }, { id: "s" });
    const [ended, kept] = [
      await send(handler, "/mcp/changes", init),
      await send(handler, "/mcp/stays", init),
    ];
    const [first, second] = [readEvents(ended), readEvents(kept)];
    for (const frames of [first, second]) await within(frames.next(), WAIT_MS, "an acknowledgement");
    handler.reconfigure({ mcpServers: { ...mcpServers, changes: configOf(changes, { A: "1" }) } });
    const last = await within(first.next(), WAIT_MS, "the end of the subscription");
    assert.match(last.value?.data ?? "", /"id":"s","result":\{"resultType":"complete"/);
    await waitUntilGone(changes.token);
    assert.equal(processesWith(stays.token).length, 1);
    await kept.body?.cancel().catch(() => second.return());
    await second.return();
  });
});

describe("a configuration that cannot work changes nothing", () => {
  const rows: readonly (readonly [
    what: string,
    config: (works: ServerConfig) => McpConfig,
    message: RegExp,
  ])[] = [
    ["without a server", () => ({ mcpServers: {} }), /^mcpServers: there is no server$/],
    [
      "with a default that is not there",
      (works) => ({ mcpServers: { other: works }, default: "a" }),
      /^default: there is no enabled server "a"$/,
    ],
    [
      "that reruns without a secret",
      (works) => ({ mcpServers: { other: { ...works, inputMode: "rerun" } } }),
      /^mcpServers\.other: inputMode "rerun" needs a secret/,
    ],
  ];
  for (const [what, config, message] of rows) {
    test(what, async (t) => {
      const counter = fixture("counter");
      const mcpServers = { a: configOf(counter) };
      const handler = setUp(t, { mcpServers, default: "a", tokens: [counter.token] });
      assert.throws(() => handler.reconfigure(config(configOf(counter))), {
        name: "ConfigurationError",
        message,
      });
      assert.deepEqual([await statusOf(handler, "/mcp"), await statusOf(handler, "/mcp/other")], [200, 404]);
    });
  }
});

test("the same object can be changed and given again", async (t) => {
  const counter = fixture("counter");
  const mcpServers: Record<string, ServerConfig> = { a: configOf(counter) };
  const handler = setUp(t, { mcpServers, tokens: [counter.token] });
  assert.equal(await statusOf(handler, "/mcp/a"), 200);
  mcpServers["b"] = configOf(counter);
  handler.reconfigure({ mcpServers });
  const statuses = async (): Promise<number[]> =>
    Promise.all(["/mcp/a", "/mcp/b", "/mcp"].map((path) => statusOf(handler, path)));
  assert.deepEqual(await statuses(), [200, 200, 404]);
  await until(() => processesWith(counter.token).length === 0, {
    withinMs: WAIT_MS,
    label: "all have ended",
  });
});
