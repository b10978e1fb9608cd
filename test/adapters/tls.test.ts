import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { Agent, request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { connect as tlsConnect } from "node:tls";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { serve } from "../../lib/adapters/node.ts";
import type { RunningServer, ServeOptions, TlsOptions } from "../../lib/adapters/node.ts";
import { until, within } from "../support/deadline.ts";
import { readEvents } from "../support/event-stream.ts";
import { fixture } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";
import { PEM, certificateAt, tlsFetch } from "../support/tls.ts";

const WAIT_MS = 15_000;
/** Half of the time that a stop gives to calls in flight: what does not wait for them is over well before. */
const AT_ONCE_MS = 5000;
const TLS: TlsOptions = { cert: PEM.leaf, key: PEM.key, ca: PEM.intermediate };

interface Setup {
  readonly server: RunningServer;
  readonly url: string;
  readonly port: number;
  readonly token: string;
}

/** The adapter over one fixture; after the test it is closed, and no process may be left. */
async function setUp(t: TestContext, name: string, options: Partial<ServeOptions> = {}): Promise<Setup> {
  const { command, args, token } = fixture(name);
  const server = await serve({ mcpServers: { [name]: { command, args } }, port: 0, tls: TLS, ...options });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return { server, url: server.url, port: Number(new URL(server.url).port), token };
}

function healthOf(url: string): Promise<Response> {
  return within(tlsFetch(`${url}/health`), WAIT_MS, "the health");
}

function isRefused(url: string): Promise<boolean> {
  return healthOf(url).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === "ECONNREFUSED",
  );
}

/** A call of the fixture `progress`, as soon as its head is here. */
function progressing(url: string, steps: number): Promise<Response> {
  const body = call("progress", { steps, delayMs: 50 }, { meta: { progressToken: 1 } });
  return within(tlsFetch(`${url}/mcp`, post(body)), WAIT_MS, "a stream");
}

describe("a client that trusts the root", () => {
  const ways: readonly (readonly [what: string, tls: TlsOptions])[] = [
    ["with the intermediate in ca", TLS],
    ["with the intermediate behind the certificate", { cert: PEM.leaf + PEM.intermediate, key: PEM.key }],
    ["with the chain in ca, in a list", { ...TLS, ca: [PEM.root, Buffer.from(PEM.intermediate)] }],
    [
      "with Buffers",
      { cert: Buffer.from(PEM.leaf), key: Buffer.from(PEM.key), ca: Buffer.from(PEM.intermediate) },
    ],
    ["with a key that needs a passphrase", { ...TLS, key: lockedKey("letmein"), passphrase: "letmein" }],
  ];
  for (const [what, tls] of ways) {
    test(`is answered ${what}`, async (t) => {
      const { url } = await setUp(t, "counter", { tls });
      assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
      assert.deepEqual(await (await healthOf(url)).json(), { status: "ok" });
      assert.equal((await healthOf(url.replace("127.0.0.1", "localhost"))).status, 200);
    });
  }

  test("does not trust the certificate where the intermediate is missing", async (t) => {
    const { url } = await setUp(t, "counter", { tls: { cert: PEM.leaf, key: PEM.key } });
    await assert.rejects(healthOf(url), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  });
});

function lockedKey(passphrase: string): string {
  const key = createPrivateKey(PEM.key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase,
  });
  return key.toString();
}

test("an event stream arrives while it is written", async (t) => {
  const { url } = await setUp(t, "progress");
  const frames: string[] = [];
  for await (const { data } of readEvents(await progressing(url, 3))) if (data) frames.push(data);
  assert.ok(frames.some((data) => data.includes("notifications/progress")));
  assert.match(frames.at(-1) ?? "", /3 steps done/);
});

test("the SDK's client calls a tool", async (t) => {
  const { url } = await setUp(t, "counter");
  const client = new Client({ name: "test", version: "1" });
  t.after(() => client.close());
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { fetch: tlsFetch });
  await within(client.connect(transport), WAIT_MS, "the handshake");
  const { content } = await within(client.callTool({ name: "count" }), WAIT_MS, "the tool");
  assert.deepEqual(content, [{ type: "text", text: "1" }]);
});

test("a client that goes during a stream ends the server", async (t) => {
  const { url, token } = await setUp(t, "progress");
  const controller = new AbortController();
  const body = call("progress", { steps: 1000, delayMs: 20 }, { meta: { progressToken: 1 } });
  const asked = tlsFetch(`${url}/mcp`, { ...post(body), signal: controller.signal });
  const response = await within(asked, WAIT_MS, "a stream");
  assert.equal(processesWith(token).length, 1);
  controller.abort();
  await assert.rejects(response.text());
  await waitUntilGone(token);
});

describe("a client that speaks no TLS", () => {
  for (const text of [
    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "hello\r\n\r\n",
    "\x16\x03\x01\xff\xff",
  ]) {
    test(`is cut off, and the adapter lives: ${JSON.stringify(text)}`, async (t) => {
      const { url, port } = await setUp(t, "counter");
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      socket.resume().end(text);
      await within(once(socket, "close"), WAIT_MS, "the connection is closed");
      assert.equal((await healthOf(url)).status, 200);
    });
  }
});

test("what speaks no TLS leaves a line for debugging, which says so", async (t) => {
  const lines: [object, string][] = [];
  const ignore = (): undefined => undefined;
  const debug = (fields: object, message: string): void => void lines.push([fields, message]);
  const logger = { debug, info: ignore, warn: ignore, error: ignore };
  const { port } = await setUp(t, "counter", { logger });
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.resume().end("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await within(once(socket, "close"), WAIT_MS, "the connection is closed");
  assert.deepEqual(lines, [[{ reason: "ERR_SSL_HTTP_REQUEST" }, "A TLS handshake failed"]]);
});

describe("other certificates", () => {
  const OTHER: TlsOptions = { cert: PEM.other, key: PEM.otherKey };

  test("are shown to new connections, and those that are there stay", async (t) => {
    const { server, url, port } = await setUp(t, "progress");
    assert.equal(await certificateAt(port), PEM.leaf);
    const running = await progressing(url, 8);
    server.setTls(OTHER);
    assert.equal(await certificateAt(port), PEM.other);
    assert.match(await within(running.text(), WAIT_MS, "the last frame"), /8 steps done/);
    server.setTls(TLS);
    assert.equal((await healthOf(url)).status, 200);
  });

  test("that cannot work are refused, and change nothing", async (t) => {
    const { server, port } = await setUp(t, "counter");
    const message = "tls.key: it does not belong to tls.cert";
    assert.throws(() => server.setTls({ ...OTHER, key: PEM.key }), { name: "ConfigurationError", message });
    assert.equal(await certificateAt(port), PEM.leaf);
  });

  test("are refused where plain HTTP is served", async () => {
    const server = await serve({ mcpServers: { x: { command: "x" } }, port: 0 });
    assert.throws(() => server.setTls(OTHER), { name: "ConfigurationError", message: /^tls: / });
    await server.close();
  });
});

describe("the stop", () => {
  test("lets the running call finish, and refuses new connections", async (t) => {
    const { server, url } = await setUp(t, "progress");
    const running = await progressing(url, 8);
    const closing = server.close();
    await until(() => isRefused(url), { withinMs: AT_ONCE_MS, label: "nobody listens" });
    assert.match(await within(running.text(), WAIT_MS, "the last frame"), /8 steps done/);
    await within(closing, AT_ONCE_MS, "the adapter closes");
  });

  test("is not held up by connections that nobody uses, or whose handshake does not end", async (t) => {
    const { server, url, port } = await setUp(t, "counter");
    const agent = new Agent({ keepAlive: true, ca: PEM.root });
    t.after(() => agent.destroy());
    const [response] = (await once(httpsRequest(`${url}/health`, { agent }).end(), "response")) as [
      IncomingMessage,
    ];
    await response.resume().toArray();
    const unused = tlsConnect({ port, host: "127.0.0.1", ca: PEM.root });
    await within(once(unused, "secureConnect"), WAIT_MS, "a handshake");
    const silent = connect(port, "127.0.0.1");
    await within(once(silent, "connect"), WAIT_MS, "a connection");
    // Accepted in order: when the later one is answered, the silent one is known.
    await healthOf(url);
    const closed = [unused, silent].map((socket) =>
      once(
        socket.resume().on("error", () => undefined),
        "close",
      ),
    );
    await within(server.close(), AT_ONCE_MS, "the adapter closes");
    await within(Promise.all(closed), AT_ONCE_MS, "the connections are closed");
  });
});

const OTHER_KEY = generateKeyPairSync("ec", { namedCurve: "P-256" });
const OTHER_PEM = OTHER_KEY.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const BROKEN = PEM.leaf.replace(/\n.{30}/, "\n");

const WRONG: readonly (readonly [what: string, tls: Partial<TlsOptions>, message: RegExp])[] = [
  ["no certificate", { cert: "" }, /^tls\.cert: /],
  ["a broken certificate", { cert: BROKEN }, /^tls\.cert: /],
  ["a broken certificate behind the first", { cert: PEM.leaf + BROKEN }, /^tls\.cert: /],
  ["a key as certificate", { cert: PEM.key }, /^tls\.cert: /],
  ["no key", { key: "" }, /^tls\.key: /],
  ["a certificate as key", { key: PEM.leaf }, /^tls\.key: /],
  ["a broken key", { key: PEM.key.replace(/\n.{9}/, "\n") }, /^tls\.key: /],
  ["the key of another certificate", { key: OTHER_PEM }, /^tls\.key: it does not belong to tls\.cert$/],
  ["a locked key alone", { key: lockedKey("letmein") }, /^tls\.key: .*needs tls\.passphrase$/],
  [
    "the wrong passphrase",
    { key: lockedKey("letmein"), passphrase: "letmeout" },
    /tls\.passphrase does not open it$/,
  ],
  ["a file name as ca", { ca: "ca.pem" }, /^tls\.ca: /],
  ["a broken ca", { ca: [PEM.root, BROKEN] }, /^tls\.ca: /],
  ["what is no text", { key: 42 as unknown as string }, /^tls\.key: /],
];

for (const [what, tls, message] of WRONG) {
  test(`is no configuration, and is not repeated: ${what}`, async () => {
    const options = { mcpServers: { x: { command: "x" } }, port: 0, tls: { ...TLS, ...tls } };
    const error = await serve(options).then(
      () => assert.fail("it listens"),
      (reason: Error) => reason,
    );
    assert.equal(error.name, "ConfigurationError");
    assert.match(error.message, message);
    const said = `${error.message}${JSON.stringify(error)}${String(error.cause)}`;
    assert.doesNotMatch(said, /-----|letme|ca\.pem|42/);
  });
}
