import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { Agent, get, request as httpRequest } from "node:http";
import type { IncomingMessage, RequestOptions } from "node:http";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { serve } from "../../lib/adapters/node.ts";
import type { RunningServer, ServeOptions } from "../../lib/adapters/node.ts";
import type { ServerConfig } from "../../lib/index.ts";
import { startServing } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { readEvents } from "../support/event-stream.ts";
import { temporaryFolder, waitForLine } from "../support/files.ts";
import { fixture, testToken } from "../support/fixture.ts";
import { isAlive, processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WAIT_MS = 15_000;
/** Half of the time that a stop gives to calls in flight: what does not wait for them is over well before. */
const AT_ONCE_MS = 5000;

interface Answer {
  readonly result?: { readonly content?: readonly { readonly text: string }[] };
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: { readonly reason?: string };
  };
}

interface Setup {
  readonly server: RunningServer;
  readonly url: string;
  readonly token: string;
}

/** The adapter over one fixture; after the test it is closed, and no process may be left. */
async function setUp(t: TestContext, name: string, options: Partial<ServeOptions> = {}): Promise<Setup> {
  const { command, args, token } = fixture(name);
  const server = await serve({ mcpServers: { [name]: { command, args } }, port: 0, ...options });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return { server, url: server.url, token };
}

function send(url: string, body: object, init: RequestInit = {}): Promise<Response> {
  return within(fetch(`${url}/mcp`, { ...post(body, { accept: "*/*" }), ...init }), WAIT_MS, "an answer");
}

async function answerOf(response: Response): Promise<Answer> {
  return (await within(response.json(), WAIT_MS, "a body")) as Answer;
}

/** A call of the fixture `progress`, once its first progress has arrived. */
async function progressing(url: string, args: Readonly<Record<string, unknown>>) {
  const response = await send(url, call("progress", args, { meta: { progressToken: 1 } }));
  const events = readEvents(response);
  const next = async () => (await within(events.next(), WAIT_MS, "a frame")).value ?? undefined;
  for (let frame = await next(); !frame?.data?.includes("notifications/progress"); frame = await next());
  return {
    /** Reads on; the data of the last frame. */
    last: async (): Promise<Answer> => {
      let data = "";
      for (let frame = await next(); frame; frame = await next()) data = frame.data ?? data;
      return JSON.parse(data) as Answer;
    },
  };
}

function refuses(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(false)).once("error", () => resolve(true));
  }).then((refused) => {
    socket.destroy();
    return refused as boolean;
  });
}

describe("a signal", () => {
  test("lets the running call finish, refuses new connections, and ends with exit code 0", async (t) => {
    const { command, args, token } = fixture("progress");
    const { url, process, exit } = await startServing(t, ["--", command, ...args], { token });
    const { last } = await progressing(url, { steps: 8, delayMs: 150 });
    process.kill("SIGTERM");
    await until(() => refuses(url), { withinMs: WAIT_MS, label: "new connections are refused" });
    assert.equal((await last()).result?.content?.[0]?.text, "8 steps done");
    const { code, signal } = await exit();
    assert.deepEqual([code, signal], [0, null]);
    await waitUntilGone(token, { withinMs: 0 });
  });

  for (const [signal, number] of [
    ["SIGTERM", 15],
    ["SIGINT", 2],
    ["SIGHUP", 1],
  ] as const) {
    test(`of a second kind, ${signal}, ends everything at once`, async (t) => {
      const { command, args, token } = fixture("ignores-sigterm");
      const words = ["--request-timeout", "60000", "--", command, ...args];
      const { url, process, exit, example } = await startServing(t, words, { token });
      await example();
      await until(() => childrenOf(process.pid, token).length === 0, {
        withinMs: WAIT_MS,
        label: "the server of the example has ended",
      });
      const hanging = fetch(`${url}/mcp`, post(call("any", { hang: true }))).catch((error: Error) => error);
      await until(() => childrenOf(process.pid, token).length > 0, { withinMs: WAIT_MS, label: "a server" });
      process.kill(signal === "SIGTERM" ? "SIGINT" : "SIGTERM");
      await until(() => refuses(url), { withinMs: WAIT_MS, label: "the stop has begun" });
      const startedAt = performance.now();
      process.kill(signal);
      assert.equal((await exit()).code, 128 + number);
      assert.ok(performance.now() - startedAt < 1000, "it waited");
      await waitUntilGone(token, { withinMs: 1000 });
      assert.ok((await hanging) instanceof Error);
    });
  }

  test("is not held up by connections that nobody uses", async (t) => {
    const { command, args, token } = fixture("counter");
    const { url, process, exit } = await startServing(t, ["--", command, ...args], { token });
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    await bodyOf(get(`${url}/health`, { agent }));
    const silent = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => undefined);
    t.after(() => silent.destroy());
    await once(silent, "connect");
    const startedAt = performance.now();
    process.kill("SIGTERM");
    assert.equal((await exit()).code, 0);
    assert.ok(performance.now() - startedAt < AT_ONCE_MS, `it took ${performance.now() - startedAt} ms`);
  });
});

function childrenOf(pid: number | undefined, token: string) {
  return processesWith(token).filter(({ ppid }) => ppid === pid);
}

test("servers end when the adapter is killed", async (t) => {
  const slow = fixture("slow");
  const { url, process } = await startServing(t, ["--", slow.command, ...slow.args], { token: slow.token });
  const file = join(await temporaryFolder(t), "log");
  const lost = fetch(`${url}/mcp`, post(call("wait", { file }))).catch((error: Error) => error);
  const pid = Number((await waitForLine(file, /^called/, { withinMs: WAIT_MS })).slice("called ".length));
  process.kill("SIGKILL");
  assert.ok((await lost) instanceof Error);
  // The guard is faster than most servers are with the end of their stdin.
  await until(() => !isAlive(pid), { withinMs: 5000, label: "the server has ended" });
});

test("server-everything ends when the adapter is killed", async (t) => {
  const token = testToken();
  const words = ["npx", "-y", "@modelcontextprotocol/server-everything", "stdio", `--token=${token}`];
  const { url, process } = await startServing(t, ["--", ...words], { cwd: ROOT, token });
  const args = { duration: 3, steps: 30 };
  const body = call("trigger-long-running-operation", args, { meta: { progressToken: 1 } });
  const events = readEvents(await send(url, body));
  await within(events.next(), WAIT_MS, "the first progress");
  const children = childrenOf(process.pid, token);
  assert.ok(children.length > 0);
  process.kill("SIGKILL");
  await assert.rejects(async () => {
    for await (const _ of events);
  });
  await waitUntilGone(token, { withinMs: 5000 });
});

test("a call that outlasts the time for the stop is answered with the reason", async (t) => {
  const { server, url, token } = await setUp(t, "progress");
  const file = join(await temporaryFolder(t), "log");
  const streaming = await progressing(url, { steps: 1000, delayMs: 20 });
  const silent = await setUp(t, "slow");
  const waiting = send(silent.url, call("wait", { file }));
  await waitForLine(file, /^called/, { withinMs: WAIT_MS });
  const startedAt = performance.now();
  const closing = Promise.all([server.close(300), silent.server.close(300)]);
  assert.equal((await streaming.last()).error?.data?.reason, "shutdown");
  assert.equal((await answerOf(await waiting)).error?.data?.reason, "shutdown");
  assert.ok(performance.now() - startedAt >= 290, "the calls did not get their time");
  await within(closing, AT_ONCE_MS, "the adapters close");
  await waitUntilGone(token, { withinMs: 0 });
  await waitUntilGone(silent.token, { withinMs: 0 });
});

test("while it stops, a request on a connection that is open is refused, and the connection closed", async (t) => {
  const { server, url } = await setUp(t, "progress");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const gate = join(await temporaryFolder(t), "step-");
  const running = await progressing(url, { steps: 1, gate });
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  const received = gathered(socket);
  await once(socket, "connect");
  // Half of a request keeps the connection from counting as idle.
  socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n");
  await fetch(`${url}/health`).then((response) => response.text());
  const closing = server.close(WAIT_MS);
  await until(() => refuses(url), { withinMs: WAIT_MS, label: "the stop has begun" });
  socket.write("\r\n");
  await within(once(socket, "close"), AT_ONCE_MS, "the connection is closed");
  assert.match(received(), /^HTTP\/1\.1 503 /);
  assert.match(received(), /"reason":"shutdown"/);
  await writeFile(`${gate}1`, "");
  assert.equal((await running.last()).result?.content?.[0]?.text, "1 steps done");
  await within(closing, WAIT_MS, "the adapter closes");
});

test("an answer that a slow client still reads is not cut by the stop", async (t) => {
  const { server, url } = await setUp(t, "big");
  const bytes = 30_000_000;
  const asking = httpRequest(`${url}/mcp`, postOptions());
  asking.end(JSON.stringify(call("big", { bytes })));
  const [response] = (await within(once(asking, "response"), WAIT_MS, "a head")) as [IncomingMessage];
  const closing = server.close();
  await until(() => refuses(url), { withinMs: WAIT_MS, label: "the stop has begun" });
  let received = 0;
  for await (const chunk of response) received += (chunk as Buffer).length;
  assert.equal(received, Number(response.headers["content-length"]));
  assert.ok(received > bytes);
  await within(closing, AT_ONCE_MS, "the adapter closes");
});

test("the stop waits for no connection that becomes idle after it has begun", async (t) => {
  const { server, url } = await setUp(t, "progress");
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const asking = httpRequest(`${url}/mcp`, { ...postOptions(), agent });
  asking.end(JSON.stringify(call("progress", { steps: 4, delayMs: 100 }, { meta: { progressToken: 1 } })));
  const [response] = (await within(once(asking, "response"), WAIT_MS, "a head")) as [IncomingMessage];
  const closing = server.close();
  for await (const _ of response);
  await within(closing, AT_ONCE_MS, "the adapter closes");
});

test("kill ends every process without waiting", async (t) => {
  const { server, url, token } = await setUp(t, "ignores-sigterm");
  const hanging = send(url, call("any", { hang: true }));
  await until(() => processesWith(token).length > 0, { withinMs: WAIT_MS, label: "a server" });
  server.kill();
  await waitUntilGone(token, { withinMs: 1000 });
  assert.equal((await answerOf(await hanging)).error?.data?.reason, "exited");
});

describe("/health", () => {
  const [ok, broken] = [fixture("counter"), fixture("crashes-at-start")];
  const configOf = ({ command, args }: typeof ok): ServerConfig => ({ command, args });

  test("is answered without a key and without a process, under each of its names", async (t) => {
    const { url, token } = await setUp(t, "silent", { authKeys: ["k3y"] });
    for (const path of ["/health", "/ping", "/healthz"]) {
      const response = await fetch(url + path);
      assert.deepEqual([response.status, await response.json()], [200, { status: "ok" }]);
      const head = await fetch(url + path, { method: "HEAD" });
      assert.deepEqual([head.status, await head.text()], [200, ""]);
    }
    assert.equal((await fetch(`${url}/health`, { method: "POST" })).status, 405);
    await waitUntilGone(token, { withinMs: 0 });
  });

  test("with deep=1 starts every server, and names the one that fails", async (t) => {
    const mcpServers = { ok: configOf(ok), broken: configOf(broken) };
    const server = await serve({ mcpServers, port: 0 });
    t.after(() => server.close(0));
    const response = await within(fetch(`${server.url}/health?deep=1`), WAIT_MS, "the deep check");
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const { status, servers } = (await response.json()) as {
      status: string;
      servers: Record<string, { status: string; reason?: string; message?: string }>;
    };
    assert.deepEqual([status, servers["ok"]], ["failed", { status: "ok" }]);
    assert.deepEqual([servers["broken"]?.status, servers["broken"]?.reason], ["failed", "exited"]);
    assert.match(servers["broken"]?.message ?? "", /exit code 3/);
    await waitUntilGone(ok.token);
    await waitUntilGone(broken.token);
  });

  test("with deep=1 is 200 when every server answers", async (t) => {
    const server = await serve({ mcpServers: { a: configOf(ok), b: configOf(ok) }, port: 0 });
    t.after(() => server.close(0));
    const response = await within(fetch(`${server.url}/health?deep=1`), WAIT_MS, "the deep check");
    const servers = { a: { status: "ok" }, b: { status: "ok" } };
    assert.deepEqual([response.status, await response.json()], [200, { status: "ok", servers }]);
    await waitUntilGone(ok.token);
  });

  test("with deep=1 needs the key when there is one", async (t) => {
    const server = await serve({ mcpServers: { a: configOf(ok) }, port: 0, authKeys: ["k3y"] });
    t.after(() => server.close(0));
    const refused = await fetch(`${server.url}/health?deep=1`);
    assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Bearer"]);
    assert.equal(processesWith(ok.token).length, 0);
    const admitted = await within(fetch(`${server.url}/health?deep=1&auth_key=k3y`), WAIT_MS, "the check");
    assert.equal(admitted.status, 200);
    await waitUntilGone(ok.token);
  });
});

const GARBAGE: readonly (readonly [what: string, text: string])[] = [
  ["no HTTP at all", "hello there\r\n\r\n"],
  ["a broken header", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n"],
  ["two lengths", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
  ["no Host", "GET /health HTTP/1.1\r\n\r\n"],
  ["a Host that is none", "GET /health HTTP/1.1\r\nHost: a b/c\r\n\r\n"],
  ["a Host with a path", "GET /health HTTP/1.1\r\nHost: localhost/x\r\n\r\n"],
];

for (const [what, text] of GARBAGE) {
  test(`a client that sends ${what} gets a 400, and the adapter lives`, async (t) => {
    const { url } = await setUp(t, "counter");
    const received = await exchangeRaw(t, url, text);
    assert.match(received, /^HTTP\/1\.1 400 /);
    assert.equal((await answerOf(await send(url, call("count")))).result?.content?.[0]?.text, "1");
  });
}

test("a client that sends half a request and goes leaves nothing behind", async (t) => {
  const { url, token } = await setUp(t, "counter");
  const head =
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
  for (const text of ["POST /mc", head, `${head}{"jsonrpc"`]) {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    await once(socket, "connect");
    await new Promise((resolve) => socket.write(text, resolve));
    socket.destroy();
  }
  assert.equal((await answerOf(await send(url, call("count")))).result?.content?.[0]?.text, "1");
  await waitUntilGone(token);
});

const HOSTS: readonly (readonly [host: string, status: number])[] = [
  ["localhost", 200],
  ["LOCALHOST:1234", 200],
  ["127.0.0.1", 200],
  ["127.0.0.1:80", 200],
  ["[::1]:8000", 200],
  ["evil.example", 403],
  ["evil.example:8000", 403],
  ["localhost.evil.example", 403],
  ["127.0.0.1.evil.example", 403],
  ["localhost@evil.example", 400],
];

for (const [host, status] of HOSTS) {
  test(`on a loopback address the Host ${host} gets ${status}`, async (t) => {
    const { url, token } = await setUp(t, "counter");
    const response = await bodyOf(get(`${url}/servers`, { headers: { host } }));
    assert.equal(response.status, status);
    if (status === 200) return;
    assert.equal(response.headers["content-type"], "application/json");
    assert.equal((JSON.parse(response.body) as Answer).error?.code, -32600);
    await waitUntilGone(token, { withinMs: 0 });
  });
}

test("on the loopback address of IPv6 the same names are let in", async (t) => {
  const { url } = await setUp(t, "counter", { host: "::1" });
  assert.equal((await fetch(`${url}/servers`)).status, 200);
  const { status } = await bodyOf(get(`${url}/servers`, { headers: { host: "evil.example" } }));
  assert.equal(status, 403);
});

test("a page from elsewhere may not call the adapter, and one from here may", async (t) => {
  const { url, token } = await setUp(t, "counter");
  const from = (origin: string): RequestInit => post(call("count"), { origin });
  for (const origin of ["https://evil.example", "null", "http://localhost.evil.example"]) {
    assert.equal((await fetch(`${url}/mcp`, from(origin))).status, 403);
  }
  assert.equal(processesWith(token).length, 0);
  assert.equal((await fetch(`${url}/mcp`, from("http://localhost:3000"))).status, 200);
});

test("the Hosts that are configured replace the local ones", async (t) => {
  const { url } = await setUp(t, "counter", { allowedHosts: ["mcp.example"] });
  const statusFor = async (host: string): Promise<number | undefined> =>
    (await bodyOf(get(`${url}/servers`, { headers: { host } }))).status;
  assert.deepEqual([await statusFor("mcp.example:443"), await statusFor("localhost")], [200, 403]);
});

test("an idle connection outlasts the minute for which a balancer keeps it", async (t) => {
  const { url } = await setUp(t, "echo");
  const response = await fetch(`${url}/health`);
  assert.equal(response.headers.get("keep-alive"), "timeout=65");
});

test("a client that goes before it has read a head ends the server", async (t) => {
  const { url, token } = await setUp(t, "slow");
  const file = join(await temporaryFolder(t), "log");
  const asking = httpRequest(`${url}/mcp`, postOptions()).on("error", () => undefined);
  asking.end(JSON.stringify(call("wait", { file }, { id: "gone" })));
  await waitForLine(file, /^called/, { withinMs: WAIT_MS });
  asking.destroy();
  await waitForLine(file, /^cancelled gone/);
  await waitUntilGone(token);
});

test("a client that goes during a stream ends the server", async (t) => {
  const { url, token } = await setUp(t, "progress");
  const asking = httpRequest(`${url}/mcp`, postOptions()).on("error", () => undefined);
  asking.end(JSON.stringify(call("progress", { steps: 1000, delayMs: 20 }, { meta: { progressToken: 1 } })));
  const [response] = (await within(once(asking, "response"), WAIT_MS, "a head")) as [IncomingMessage];
  response.on("error", () => undefined);
  await within(once(response, "data"), WAIT_MS, "a chunk");
  assert.equal(processesWith(token).length, 1);
  asking.destroy();
  await waitUntilGone(token);
});

test("a client that stops reading and goes ends the server", async (t) => {
  const { url, token } = await setUp(t, "flood");
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const body = JSON.stringify(call("any", { count: 1_000_000 }));
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  socket.write(`${head}\r\nAccept: */*\r\n\r\n${body}`);
  await within(once(socket, "readable"), WAIT_MS, "the first bytes");
  assert.equal(processesWith(token).length, 1);
  socket.destroy();
  await waitUntilGone(token);
});

test("serve rejects when the port is taken, and when the address is open to all without a key", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const { command, args } = fixture("counter");
  const options = { mcpServers: { it: { command, args } } };
  const { port } = taken.address() as AddressInfo;
  await assert.rejects(serve({ ...options, port }), new RegExp(`${port}.* in use|in use.*${port}`));
  for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
    await assert.rejects(serve({ ...options, port: 0, host }), { name: "ConfigurationError" });
  }
});

test("the address that is taken is told as it stands in a URL, also one of IPv6", async (t) => {
  const taken = createServer().listen(0, "::1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const mcpServers = { it: { command: "x" } };
  const message = `[::1]:${port} is in use by another program: choose another port`;
  await assert.rejects(serve({ mcpServers, port, host: "::1" }), { message });
});

test("close may be called twice, and a closed adapter keeps no timer and no listener", async (t) => {
  const { server, url } = await setUp(t, "counter");
  await answerOf(await send(url, call("count")));
  await within(Promise.all([server.close(), server.close()]), WAIT_MS, "the adapter closes");
  await within(server.close(), 1000, "it closes again");
  assert.equal(await refuses(url), true);
});

function postOptions(): RequestOptions {
  return { method: "POST", headers: { "content-type": "application/json", accept: "*/*" } };
}

async function bodyOf(asking: ReturnType<typeof get>) {
  const [response] = (await within(once(asking, "response"), WAIT_MS, "a head")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode, headers: response.headers, body };
}

function gathered(socket: Socket): () => string {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined);
  return () => Buffer.concat(chunks).toString();
}

/** Sends the bytes; what comes back until the connection is closed, or a whole head and body are here. */
async function exchangeRaw(t: TestContext, url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  t.after(() => socket.destroy());
  const received = gathered(socket);
  socket.end(text);
  await within(once(socket, "close"), WAIT_MS, "the connection is closed");
  return received();
}
