import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { Client as SecondClient } from "@modelcontextprotocol/client";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import { createLegacyBeforeModern } from "../../../lib/connect/relays/legacy-before-modern.ts";
import { createModernBeforeLegacy, initializeFor } from "../../../lib/connect/relays/modern-before-legacy.ts";
import type { Relay } from "../../../lib/connect/relay.ts";
import { silentLogger } from "../../../lib/logger.ts";
import { deferred } from "../../../lib/promises.ts";
import { within } from "../../support/deadline.ts";
import { bigText, fixture } from "../../support/fixture.ts";
import { createRelayTransport } from "../../support/relay-transport.ts";
import type { RelayTransport } from "../../support/relay-transport.ts";
import { legacyRemoteOf, modernRemoteOf } from "../../support/remotes.ts";
import { sdkServer } from "../../support/stdio-program.ts";
import type { ProgramParameters } from "../../support/stdio-program.ts";

/** Clients of the SDKs, each in front of a server of the other era. */

const IDENTITY = { name: "era-client", version: "1.0.0" };
const CAPABILITIES = { elicitation: {} };
const ANSWERS: Readonly<Record<string, Record<string, string | number>>> = {
  "What is your name?": { name: "Ada" },
  "How old are you?": { age: 36 },
};

function answerTo(message: string) {
  return { action: "accept" as const, content: ANSWERS[message] ?? {} };
}

async function beforeModern(t: TestContext, parameters: ProgramParameters): Promise<RelayTransport> {
  const transport = createRelayTransport();
  const remote = await modernRemoteOf(t, parameters);
  use(t, transport, createLegacyBeforeModern({ remote, client: transport.client, logger: silentLogger }));
  return transport;
}

async function beforeLegacy(t: TestContext, parameters: ProgramParameters): Promise<RelayTransport> {
  const transport = createRelayTransport();
  const { promise, resolve } = deferred<Relay>();
  const envelope = { protocolVersion: "2026-07-28", clientInfo: IDENTITY, capabilities: CAPABILITIES };
  const remote = await legacyRemoteOf(t, parameters, {
    initialize: initializeFor({ ...envelope, logLevel: undefined }),
    hasStreams: true,
    hear: async (message, about) => (await promise).hear?.(message, about),
  });
  const relay = createModernBeforeLegacy({ remote, client: transport.client, logger: silentLogger });
  resolve(relay);
  use(t, transport, relay);
  return transport;
}

function use(t: TestContext, transport: RelayTransport, relay: Relay): void {
  transport.use(relay);
  t.after(() => within(relay.close(), 5000, "the relay closes"));
}

async function connectFirst(transport: RelayTransport): Promise<FirstClient> {
  const client = new FirstClient(IDENTITY, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => answerTo(params.message));
  await client.connect(transport);
  return client;
}

async function connectSecond(transport: RelayTransport): Promise<SecondClient> {
  const versionNegotiation = { mode: { pin: "2026-07-28" } };
  const client = new SecondClient(IDENTITY, { capabilities: CAPABILITIES, versionNegotiation });
  client.setRequestHandler("elicitation/create", async ({ params }) => answerTo(params.message));
  await client.connect(transport);
  return client;
}

test("a v1 client uses a v2 server without a handshake: lists, structured output, questions, unknown tools", async (t) => {
  const client = await connectFirst(await beforeModern(t, sdkServer("modern-only")));
  assert.equal(client.getServerVersion()?.name, "modern-only");
  const { tools } = await client.listTools();
  assert.equal(tools.length, 6);
  const structured = await client.callTool({ name: "structured", arguments: {} });
  assert.deepEqual(structured.structuredContent, { result: [1, 2, 3] });
  assert.match(JSON.stringify(await client.callTool({ name: "ask-two", arguments: {} })), /Ada.*36/);
  await assert.rejects(client.callTool({ name: "nothing", arguments: {} }));
  await client.ping();
  await client.close();
});

test("a v2 client without a handshake uses a v1 server: lists, structured output, questions, unknown tools", async (t) => {
  const client = await connectSecond(await beforeLegacy(t, sdkServer("legacy-only")));
  assert.equal(client.getNegotiatedProtocolVersion(), "2026-07-28");
  assert.equal(client.getServerVersion()?.name, "legacy-only");
  assert.equal((await client.listTools()).tools.length, 6);
  const structured = await client.callTool({ name: "structured", arguments: {} });
  assert.deepEqual(structured.structuredContent, { numbers: [1, 2, 3] });
  assert.match(JSON.stringify(await client.callTool({ name: "ask-two", arguments: {} })), /Ada.*36/);
  const unknown = await client.callTool({ name: "nothing", arguments: {} });
  assert.equal(unknown.isError, true);
  await client.close();
});

test("forty calls of a v2 client at once share the session", async (t) => {
  const client = await connectSecond(await beforeLegacy(t, sdkServer("legacy-only")));
  const numbers = Array.from({ length: 40 }, (_, index) => String(index));
  const results = await Promise.all(
    numbers.map((message) => client.callTool({ name: "echo", arguments: { message } })),
  );
  assert.deepEqual(
    results.map(({ content }) => (content as { text: string }[])[0]?.text),
    numbers,
  );
  await client.close();
});

test("results of 20 MiB pass", async (t) => {
  const bytes = 20 * 1024 * 1024;
  const client = await connectSecond(await beforeLegacy(t, fixture("big")));
  const { content } = await client.callTool({ name: "big", arguments: { bytes } });
  assert.equal((content as { text: string }[])[0]?.text, bigText(bytes));
  await client.close();
});
