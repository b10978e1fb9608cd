import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

import { serve } from "../lib/adapters/node.ts";
import type { RunningServer } from "../lib/adapters/node.ts";
import type { ServerConfig } from "../lib/index.ts";
import { within } from "./support/deadline.ts";
import { temporaryFolder, waitForLine } from "./support/files.ts";
import { fixture, testToken } from "./support/fixture.ts";
import { processesWith, waitUntilGone } from "./support/processes.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WAIT_MS = 15_000;
const CLIENT = { name: "test-client", version: "1.0.0" };

interface Running {
  readonly server: RunningServer;
  readonly url: URL;
}

/** The adapter in front of one server; after the test it is closed, and no process with the token may be left. */
async function serveOne(t: TestContext, config: ServerConfig, token: string): Promise<Running> {
  const server = await serve({ mcpServers: { only: config }, baseDirectory: ROOT, port: 0 });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return { server, url: new URL(`${server.url}/mcp`) };
}

function everything(t: TestContext): Promise<Running> {
  const token = testToken();
  return serveOne(t, installed("server-everything", "stdio", `--token=${token}`), token);
}

/** As a configuration names it; Mayfly runs what is installed here. */
function installed(name: string, ...args: readonly string[]): ServerConfig {
  return { command: "npx", args: ["-y", `@modelcontextprotocol/${name}`, ...args] };
}

interface Connected {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

async function connect(t: TestContext, { url }: Running): Promise<Connected> {
  const client = new Client(CLIENT);
  const transport = new StreamableHTTPClientTransport(url);
  t.after(() => client.close());
  // Its optional sessionId is one that may also be undefined, which this compiler tells apart.
  await within(client.connect(transport as Parameters<Client["connect"]>[0]), WAIT_MS, "connect");
  return { client, transport };
}

function textOf(result: object): string {
  const { content } = result as { readonly content?: readonly { readonly text: string }[] };
  return content?.[0]?.text ?? "";
}

test("the v1 client connects to server-everything, lists its tools and calls them", async (t) => {
  const { client } = await connect(t, await everything(t));
  assert.equal(client.getServerVersion()?.name, "mcp-servers/everything");
  assert.equal(client.getServerCapabilities()?.resources?.subscribe, undefined);
  const { tools } = await within(client.listTools(), WAIT_MS, "tools/list");
  assert.ok(tools.some(({ name }) => name === "get-sum"));
  const call = client.callTool({ name: "get-sum", arguments: { a: 2, b: 3 } });
  assert.match(textOf(await within(call, WAIT_MS, "tools/call")), /\b5\b/);
  // The client checks this against the output schema that it has listed before.
  const structured = client.callTool({ name: "get-structured-content", arguments: { location: "Chicago" } });
  const { structuredContent } = await within(structured, WAIT_MS, "structured content");
  assert.equal(typeof (structuredContent as { temperature: unknown }).temperature, "number");
});

test("the v1 client reads resources of server-everything and follows its templates", async (t) => {
  const { client } = await connect(t, await everything(t));
  const { resources } = await within(client.listResources(), WAIT_MS, "resources/list");
  const [first] = resources;
  assert.ok(first);
  const { contents } = await within(client.readResource({ uri: first.uri }), WAIT_MS, "resources/read");
  assert.equal(contents[0]?.uri, first.uri);
  const templates = await within(client.listResourceTemplates(), WAIT_MS, "resources/templates/list");
  assert.ok(templates.resourceTemplates.length > 0);
  const uri = "demo://resource/dynamic/blob/7";
  const dynamic = await within(client.readResource({ uri }), WAIT_MS, "resources/read of a template");
  assert.ok(dynamic.contents.some((content) => "blob" in content && content.blob.length > 0));
});

test("the v1 client lists, gets and completes prompts of server-everything", async (t) => {
  const { client } = await connect(t, await everything(t));
  const { prompts } = await within(client.listPrompts(), WAIT_MS, "prompts/list");
  assert.ok(prompts.some(({ name }) => name === "args-prompt"));
  const prompt = client.getPrompt({ name: "args-prompt", arguments: { city: "Oslo" } });
  assert.match(JSON.stringify((await within(prompt, WAIT_MS, "prompts/get")).messages), /Oslo/);
  const completion = client.complete({
    ref: { type: "ref/prompt", name: "completable-prompt" },
    argument: { name: "department", value: "E" },
  });
  const { values } = (await within(completion, WAIT_MS, "completion/complete")).completion;
  assert.deepEqual(values, ["Engineering"]);
});

test("progress reaches the v1 client while the tool of server-everything runs", async (t) => {
  const { client } = await connect(t, await everything(t));
  const seen: { readonly progress: number; readonly at: number }[] = [];
  let settled = false;
  const onprogress = ({ progress }: { progress: number }): void => {
    assert.equal(settled, false, "progress came after the result");
    seen.push({ progress, at: performance.now() });
  };
  const params = { name: "trigger-long-running-operation", arguments: { duration: 3, steps: 4 } };
  const call = client.callTool(params, undefined, { onprogress }).finally(() => (settled = true));
  assert.match(textOf(await within(call, WAIT_MS, "the long operation")), /Steps: 4/);
  assert.deepEqual(
    // The client forgets the token with the result, and the last step comes together with it.
    seen.slice(0, 3).map(({ progress }) => progress),
    [1, 2, 3],
  );
  const spread = (seen[2]?.at ?? 0) - (seen[0]?.at ?? 0);
  assert.ok(spread > 300, `three steps of 750 ms came within ${Math.round(spread)} ms`);
});

test("a log message of server-everything reaches the v1 client before the result", async (t) => {
  const { client } = await connect(t, await everything(t));
  const logged: unknown[] = [];
  client.setNotificationHandler(
    LoggingMessageNotificationSchema,
    ({ params }) => void logged.push(params.data),
  );
  const call = client.callTool({ name: "toggle-simulated-logging" });
  assert.match(textOf(await within(call, WAIT_MS, "tools/call")), /^Started simulated/);
  assert.equal(logged.length, 1);
  assert.match(String(logged[0]), /message/i);
});

test("an unknown tool and a ping are answered as over stdio, and setting a log level succeeds", async (t) => {
  const { client } = await connect(t, await everything(t));
  const unknown = await within(client.callTool({ name: "no-such-tool" }), WAIT_MS, "tools/call");
  assert.equal(unknown.isError, true);
  assert.match(textOf(unknown), /no-such-tool not found/);
  assert.deepEqual(await within(client.ping(), WAIT_MS, "ping"), {});
  await within(client.setLoggingLevel("warning"), WAIT_MS, "logging/setLevel");
});

test("the v1 client can end its session, whose end means nothing here", async (t) => {
  const { client, transport } = await connect(t, await everything(t));
  assert.match(transport.sessionId ?? "", /^1\./);
  await within(transport.terminateSession(), WAIT_MS, "DELETE");
  await within(client.close(), WAIT_MS, "close");
});

test("a v1 client that closes its transport in the middle of a call ends the server", async (t) => {
  const { command, args, token } = fixture("slow");
  const { client } = await connect(t, await serveOne(t, { command, args }, token));
  const file = join(await temporaryFolder(t), "log");
  const call = client.callTool({ name: "wait", arguments: { file } });
  const failed = assert.rejects(within(call, WAIT_MS, "the end of the call"), /Connection closed/);
  await waitForLine(file, /^called/, { withinMs: WAIT_MS });
  await client.close();
  await failed;
  await waitUntilGone(token);
  await waitForLine(file, /^cancelled /);
});

// The clients of both SDKs leave their POST open and send notifications/cancelled in another one.
test("a v1 client that aborts a call ends the server", async (t) => {
  const { command, args, token } = fixture("slow");
  const { client } = await connect(t, await serveOne(t, { command, args }, token));
  const file = join(await temporaryFolder(t), "log");
  const leaving = new AbortController();
  const options = { signal: leaving.signal };
  const call = client.callTool({ name: "wait", arguments: { file } }, undefined, options);
  const failed = assert.rejects(within(call, WAIT_MS, "the end of the call"), /changed my mind/);
  await waitForLine(file, /^called/, { withinMs: WAIT_MS });
  leaving.abort("changed my mind");
  await failed;
  await waitUntilGone(token);
  await waitForLine(file, /^cancelled /);
});

test("the v1 client works on a folder through server-filesystem", async (t) => {
  const token = testToken();
  const folder = join(await temporaryFolder(t), token);
  await mkdir(folder);
  await writeFile(join(folder, "hello.txt"), "Grüße aus der Datei\n");
  const { client } = await connect(t, await serveOne(t, installed("server-filesystem", folder), token));
  const { tools } = await within(client.listTools(), WAIT_MS, "tools/list");
  assert.ok(tools.some(({ name }) => name === "read_text_file"));
  const use = async (name: string, args: Record<string, unknown>) =>
    within(client.callTool({ name, arguments: args }), WAIT_MS, name);
  assert.equal(
    textOf(await use("read_text_file", { path: join(folder, "hello.txt") })),
    "Grüße aus der Datei\n",
  );
  await use("write_file", { path: join(folder, "new.txt"), content: "written" });
  assert.equal(await readFile(join(folder, "new.txt"), "utf8"), "written");
  assert.match(textOf(await use("list_directory", { path: folder })), /\[FILE\] new\.txt/);
  const outside = await use("read_text_file", { path: join(folder, "..", "..", "outside") });
  assert.equal(outside.isError, true);
});

test("what server-memory keeps in its file outlives its processes", async (t) => {
  const token = testToken();
  const file = join(await temporaryFolder(t), "memory.jsonl");
  const config = { ...installed("server-memory", `--token=${token}`), env: { MEMORY_FILE_PATH: file } };
  const { client } = await connect(t, await serveOne(t, config, token));
  const entities = [{ name: "Ephemera", entityType: "insect", observations: ["lives for a day"] }];
  const create = client.callTool({ name: "create_entities", arguments: { entities } });
  assert.equal((await within(create, WAIT_MS, "create_entities")).isError, undefined);
  assert.match(await readFile(file, "utf8"), /lives for a day/);
  const read = client.callTool({ name: "read_graph", arguments: {} });
  assert.match(textOf(await within(read, WAIT_MS, "read_graph")), /Ephemera/);
  await waitUntilGone(token);
});

for (const mode of [undefined, "legacy", "auto"] as const) {
  test(`the v2 client works with version negotiation ${mode ?? "left at its default"}`, async (t) => {
    const running = await everything(t);
    const posted: string[] = [];
    const observed: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      const { method } = JSON.parse(typeof init?.body === "string" ? init.body : "{}") as { method?: string };
      posted.push(`${init?.method} ${method ?? ""} ${response.status}`);
      return response;
    };
    const client = new ModernClient(CLIENT, mode === undefined ? {} : { versionNegotiation: { mode } });
    t.after(() => client.close());
    await within(client.connect(new ModernTransport(running.url, { fetch: observed })), WAIT_MS, "connect");
    const isModern = mode === "auto";
    assert.equal(client.getNegotiatedProtocolVersion(), isModern ? "2026-07-28" : "2025-11-25");
    assert.deepEqual(
      posted.filter((line) => !line.startsWith("GET")),
      isModern ? ["POST server/discover 200"] : ["POST initialize 200", "POST notifications/initialized 202"],
    );
    const { tools } = await within(client.listTools(), WAIT_MS, "tools/list");
    assert.ok(tools.some(({ name }) => name === "echo"));
    const call = client.callTool({ name: "echo", arguments: { message: "hello" } });
    assert.equal(textOf(await within(call, WAIT_MS, "tools/call")), "Echo: hello");
  });
}

test("progress reaches the v2 client while the tool runs, and its leaving ends the server", async (t) => {
  const { client, token, progressed } = await progressing(t, {});
  assert.equal(await within(progressed, WAIT_MS, "the first progress"), 1);
  assert.equal(processesWith(token).length, 1);
  await client.close();
  await waitUntilGone(token);
});

test("a v2 client that aborts a call ends the server", async (t) => {
  const leaving = new AbortController();
  const { token, progressed } = await progressing(t, { signal: leaving.signal });
  await within(progressed, WAIT_MS, "the first progress");
  leaving.abort();
  await waitUntilGone(token);
});

interface Progressing {
  readonly client: ModernClient;
  readonly token: string;
  /** The first progress of a call that takes long. */
  readonly progressed: Promise<number>;
}

async function progressing(t: TestContext, options: { readonly signal?: AbortSignal }): Promise<Progressing> {
  const { command, args, token } = fixture("progress");
  const { url } = await serveOne(t, { command, args }, token);
  const client = new ModernClient(CLIENT, { versionNegotiation: { mode: "auto" } });
  t.after(() => client.close());
  await within(client.connect(new ModernTransport(url)), WAIT_MS, "connect");
  const params = { name: "progress", arguments: { steps: 1000, delayMs: 50 } };
  const progressed = new Promise<number>((resolve) => {
    const onprogress = ({ progress }: { progress: number }): void => resolve(progress);
    client.callTool(params, { ...options, onprogress }).catch(() => undefined);
  });
  return { client, token, progressed };
}
