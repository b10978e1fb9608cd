import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

import type { ServerConfig } from "../../lib/index.ts";
import { within } from "../support/deadline.ts";
import { testToken } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";
import { serveSessions } from "../support/sessions.ts";
import type { Served, ServedOptions } from "../support/sessions.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WAIT_MS = 15_000;
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

// oxlint-disable-next-line typescript/no-deprecated -- as long as clients have it, it must work
const SseTransport = SSEClientTransport;
type Transport = InstanceType<typeof SseTransport> | StreamableHTTPClientTransport;

/** A way to run sessions, and a client's way to it. */
interface Mode {
  readonly title: string;
  readonly options: ServedOptions;
  readonly isKept: boolean;
  transport(url: string): Transport;
}

const sse = (url: string): Transport => new SseTransport(new URL("/sse", url));
const mcp = (url: string): Transport => new StreamableHTTPClientTransport(new URL("/mcp", url));

const MODES: readonly Mode[] = [
  { title: "HTTP+SSE, shared", options: { sharedSession: true }, isKept: true, transport: sse },
  { title: "HTTP+SSE, independent", options: { sharedSession: false }, isKept: true, transport: sse },
  { title: "streamable HTTP, shared", options: { sessions: "shared" }, isKept: true, transport: mcp },
  {
    title: "streamable HTTP, independent",
    options: { sessions: "independent" },
    isKept: true,
    transport: mcp,
  },
  {
    title: "streamable HTTP, no sessions",
    options: { sessions: "none", inputMode: "hold" },
    isKept: false,
    transport: mcp,
  },
];

interface Everything extends Served {
  readonly client: Client;
  readonly transport: Transport;
}

/** A client with a user who answers, in front of server-everything. */
async function everything(t: TestContext, mode: Mode): Promise<Everything> {
  const token = testToken();
  const only: ServerConfig = {
    command: "npx",
    args: ["-y", "@modelcontextprotocol/server-everything", "stdio", `--token=${token}`],
  };
  const served = await serveSessions(t, "remembers", {
    ...mode.options,
    mcpServers: { only },
    baseDirectory: ROOT,
  });
  t.after(() => waitUntilGone(token));
  return { ...served, token, ...(await connect(t, mode, served.url)) };
}

async function connect(t: TestContext, mode: Mode, url: string) {
  const client = new Client({ name: "test-client", version: "1.0.0" }, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } }));
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: "assistant",
    model: "test-model",
    content: { type: "text", text: "an answer of the model" },
  }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({
    roots: [{ uri: "file:///home/ada", name: "Home" }],
  }));
  const transport = mode.transport(url);
  t.after(() => client.close());
  // Its optional sessionId is one that may also be undefined, which this compiler tells apart.
  await within(client.connect(transport as Parameters<Client["connect"]>[0]), WAIT_MS, "connect");
  return { client, transport };
}

async function use(
  client: Client,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return textOf(await within(client.callTool({ name, arguments: { ...args } }), WAIT_MS, name));
}

function textOf(result: object): string {
  const { content = [] } = result as { readonly content?: readonly { readonly text?: string }[] };
  return content.map(({ text = "" }) => text).join("\n");
}

for (const mode of MODES) {
  describe(`the v1 client over ${mode.title}`, () => {
    test("lists and calls tools, and checks structured output", async (t) => {
      const { client } = await everything(t, mode);
      assert.equal(client.getServerVersion()?.name, "mcp-servers/everything");
      const { tools } = await within(client.listTools(), WAIT_MS, "tools/list");
      assert.ok(tools.some(({ name }) => name === "get-sum"));
      assert.match(await use(client, "get-sum", { a: 2, b: 3 }), /\b5\b/);
      const params = { name: "get-structured-content", arguments: { location: "Chicago" } };
      const { structuredContent } = await within(client.callTool(params), WAIT_MS, "structured content");
      assert.equal(typeof (structuredContent as { temperature: unknown }).temperature, "number");
    });

    test("reads resources, gets prompts, completes arguments, pings", async (t) => {
      const { client } = await everything(t, mode);
      const [first] = (await within(client.listResources(), WAIT_MS, "resources/list")).resources;
      assert.ok(first);
      const { contents } = await within(client.readResource({ uri: first.uri }), WAIT_MS, "resources/read");
      assert.equal(contents[0]?.uri, first.uri);
      const prompt = client.getPrompt({ name: "args-prompt", arguments: { city: "Oslo" } });
      assert.match(JSON.stringify((await within(prompt, WAIT_MS, "prompts/get")).messages), /Oslo/);
      const completion = client.complete({
        ref: { type: "ref/prompt", name: "completable-prompt" },
        argument: { name: "department", value: "E" },
      });
      assert.deepEqual((await within(completion, WAIT_MS, "completion")).completion.values, ["Engineering"]);
      assert.deepEqual(await within(client.ping(), WAIT_MS, "ping"), {});
    });

    test("hears of progress while a call runs, and of log messages", async (t) => {
      const { client } = await everything(t, mode);
      const seen: number[] = [];
      const onprogress = ({ progress }: { progress: number }): void => void seen.push(progress);
      const params = { name: "trigger-long-running-operation", arguments: { duration: 1.2, steps: 4 } };
      assert.match(
        textOf(await within(client.callTool(params, undefined, { onprogress }), WAIT_MS, "a call")),
        /4/,
      );
      // The last step comes together with the result, with which the client forgets the token.
      assert.deepEqual(seen.slice(0, 3), [1, 2, 3]);
      await within(client.setLoggingLevel("debug"), WAIT_MS, "logging/setLevel");
      const logged = new Promise((resolve) => {
        client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => resolve(params.data));
      });
      await use(client, "toggle-simulated-logging");
      assert.match(String(await within(logged, WAIT_MS, "a log message")), /message/i);
    });

    test("answers questions of the server", async (t) => {
      const { client } = await everything(t, mode);
      assert.match(await use(client, "trigger-elicitation-request"), /Name: Ada/);
      assert.match(
        await use(client, "trigger-sampling-request", { prompt: "hello" }),
        /an answer of the model/,
      );
      assert.match(await use(client, "get-roots-list"), /file:\/\/\/home\/ada/);
    });

    test("works beside another one", async (t) => {
      const { client, url } = await everything(t, mode);
      const { client: other } = await connect(t, mode, url);
      const run = async (one: Client, base: number): Promise<void> => {
        const sums = Array.from({ length: 4 }, (_, index) => use(one, "get-sum", { a: base, b: index }));
        for (const [index, text] of (await Promise.all(sums)).entries()) {
          assert.match(text, new RegExp(`\\b${base + index}\\b`));
        }
      };
      await Promise.all([run(client, 1000), run(other, 5000)]);
      await within(other.close(), WAIT_MS, "close");
      assert.match(await use(client, "echo", { message: "still here" }), /still here/);
    });

    test("is told of changes", { skip: mode.isKept ? false : "there is no stream for them" }, async (t) => {
      const { url } = await serveSessions(t, "talks-on-demand", mode.options);
      const { client } = await connect(t, mode, url);
      const changed = new Promise<void>((resolve) => {
        client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve());
      });
      const updated = new Promise<string>((resolve) => {
        client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri));
      });
      const uri = "test://one";
      await within(client.subscribeResource({ uri }), WAIT_MS, "resources/subscribe");
      const notifications = [
        { method: "notifications/tools/list_changed" },
        { method: "notifications/resources/updated", params: { uri } },
      ];
      assert.equal(await use(client, "tellLater", { notifications }), "later");
      await within(changed, WAIT_MS, "the change of the list");
      assert.equal(await within(updated, WAIT_MS, "the change of the resource"), uri);
    });

    test("ends its session", async (t) => {
      const { client, transport, token } = await everything(t, mode);
      await use(client, "echo", { message: "hello" });
      if (transport instanceof StreamableHTTPClientTransport) {
        await within(transport.terminateSession(), WAIT_MS, "DELETE");
      }
      await within(client.close(), WAIT_MS, "close");
      const isShared = mode.options.sharedSession === true || mode.options.sessions === "shared";
      if (!isShared) await waitUntilGone(token, { withinMs: 5000 });
    });
  });
}
