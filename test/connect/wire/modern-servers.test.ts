import { deepEqual, equal, match, ok } from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { McpServer, createMcpHandler } from "@modelcontextprotocol/server";
import * as z from "zod";

import { toNodeHandler } from "../../../lib/adapters/listener.ts";
import { createModernRemote, discover } from "../../../lib/connect/wire/modern.ts";
import type { ModernRemote } from "../../../lib/connect/remote.ts";
import type { Message, RequestValue } from "../../../lib/jsonrpc.ts";
import { serve } from "../../../lib/adapters/node.ts";
import { until, within } from "../../support/deadline.ts";
import { fixture } from "../../support/fixture.ts";
import { waitUntilGone } from "../../support/processes.ts";
import { serveWire, wireTarget } from "../../support/wire.ts";

const WAIT_MS = 15_000;
const NEVER = new AbortController().signal;
const INTRODUCTION = { clientInfo: { name: "test", version: "1" }, capabilities: {} };
const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": INTRODUCTION.clientInfo,
  "io.modelcontextprotocol/clientCapabilities": {},
};

interface Heard {
  readonly method?: string;
  readonly result?: { readonly content?: readonly { readonly text: string }[] };
  readonly error?: { readonly code: number };
}

function requestOf(method: string, params: object, id: number | string): Message<RequestValue> {
  const value = { jsonrpc: "2.0", id, method, params: { ...params, _meta: META } };
  return { text: JSON.stringify(value), value };
}

async function call(
  remote: ModernRemote,
  name: string,
  args: object,
  id: number | string = 1,
): Promise<Heard> {
  const heard: Heard[] = [];
  const request = requestOf("tools/call", { name, arguments: args }, id);
  for await (const { text } of remote.request(request, NEVER)) heard.push(JSON.parse(text) as Heard);
  equal(heard.length, 1);
  return heard[0] ?? {};
}

async function openRemote(t: TestContext, url: URL): Promise<ModernRemote> {
  const target = await wireTarget(t, url);
  const { modern } = await within(
    discover(target, INTRODUCTION, NEVER),
    WAIT_MS,
    "the answer to server/discover",
  );
  match(modern ?? "nothing", /"supportedVersions"/);
  return createModernRemote(target, modern ?? "{}");
}

/** A server of the SDK v2 whose tool asks for a header, and how often that has run. */
async function sdkServer(t: TestContext): Promise<{ url: URL; ran: () => number; waiting: () => number }> {
  let ran = 0;
  let waiting = 0;
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "sdk", version: "1.0.0" });
    const inputSchema = z.object({
      region: z.string().meta({ "x-mcp-header": "Region" }),
      naïve: z.string().optional(),
    });
    server.registerTool("regional", { inputSchema }, ({ region }) => {
      ran += 1;
      return { content: [{ type: "text", text: region }] };
    });
    server.registerTool("waits", { inputSchema: z.object({}) }, async (_args, { mcpReq }) => {
      waiting += 1;
      await new Promise((resolve) => mcpReq.signal.addEventListener("abort", resolve));
      waiting -= 1;
      return { content: [] };
    });
    return server;
  });
  t.after(() => handler.close());
  // The fields of a request that it has are those that the handler reads.
  const answer = toNodeHandler({ fetch: (request) => handler.fetch(request as unknown as Request) });
  const { url } = await serveWire(t, answer);
  return { url, ran: () => ran, waiting: () => waiting };
}

test("a server of the SDK v2 accepts the headers, also of a tool that was never listed, and runs it once", async (t) => {
  const { url, ran } = await sdkServer(t);
  const remote = await openRemote(t, url);
  deepEqual((await call(remote, "regional", { region: "Süd" })).result?.content, [
    { type: "text", text: "Süd" },
  ]);
  equal(ran(), 1);
  deepEqual((await call(remote, "regional", { region: " east " })).result?.content, [
    { type: "text", text: " east " },
  ]);
  equal(ran(), 2);
});

test("a server of the SDK v2 hears of a cancellation", async (t) => {
  const { url, waiting } = await sdkServer(t);
  const remote = await openRemote(t, url);
  const leaving = new AbortController();
  const next = remote
    .request(requestOf("tools/call", { name: "waits", arguments: {} }, 1), leaving.signal)
    .next();
  await until(() => waiting() === 1, { withinMs: WAIT_MS, label: "the tool waits" });
  leaving.abort();
  ok((await within(next, WAIT_MS, "the end")).done);
  await until(() => waiting() === 0, { withinMs: WAIT_MS, label: "the tool ends" });
});

test("Mayfly itself accepts the headers where it checks them all", async (t) => {
  const { token, ...config } = fixture("legacy-asks");
  const server = await serve({ mcpServers: { only: config }, paramHeaders: "always", port: 0 });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  const remote = await openRemote(t, new URL(`${server.url}/mcp`));
  const { result } = await call(remote, "pids", { region: "=?base64?eA==?=" }, "a");
  match(result?.content?.[0]?.text ?? "", /^\d+$/);
});
