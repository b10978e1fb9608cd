import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { gzipSync } from "node:zlib";

import express from "express";

import { toNodeHandler } from "../../lib/adapters/node.ts";
import type { NodeHandler } from "../../lib/adapters/node.ts";
import { createHandler } from "../../lib/index.ts";
import type { HandlerOptions } from "../../lib/index.ts";
import { until, within } from "../support/deadline.ts";
import { readEvents } from "../support/event-stream.ts";
import { fixture } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;

interface Setup {
  readonly listener: NodeHandler;
  readonly token: string;
}

/** A handler over one fixture, for node:http; after the test it is closed, and no process may be left. */
function setUp(t: TestContext, name: string, options: Partial<HandlerOptions> = {}): Setup {
  const { command, args, token } = fixture(name);
  const mcpServers = { [name]: { command, args } };
  const handler = createHandler({ mcpServers, allowAnonymous: true, ...options });
  t.after(async () => {
    await within(handler.close(), WAIT_MS, "the handler closes");
    await waitUntilGone(token);
  });
  return { listener: toNodeHandler(handler), token };
}

/** The URL of a server of the host that embeds the handler. */
async function listening(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function textFor(url: string, init: RequestInit = post(call("echo", { a: 1 }))): Promise<string> {
  const response = await within(fetch(url, init), WAIT_MS, "an answer");
  const text = await within(response.text(), WAIT_MS, "its body");
  return `${response.status} ${text}`;
}

const ECHOED = /^200 .*"result"/;

describe("a handler answers", () => {
  test("node:http", async (t) => {
    const { listener } = setUp(t, "echo");
    const url = await listening(t, (incoming, outgoing) => void listener(incoming, outgoing));
    assert.match(await textFor(`${url}/mcp`), ECHOED);
    assert.match(await textFor(`${url}/nowhere`), /^404 /);
    assert.match(await textFor(`${url}/mcp`, { method: "DELETE" }), /^405 /);
    assert.equal(await textFor(`${url}/mcp`, { method: "OPTIONS" }), "204 ");
  });

  test("Express at its root and below a path, which it cuts off", async (t) => {
    const { listener } = setUp(t, "echo");
    const app = express();
    app.use("/tools", listener);
    app.all(["/mcp", "/mcp/:server"], listener);
    app.get("/", (_request, response) => void response.send("home"));
    const url = await listening(t, app);
    for (const path of ["/mcp", "/mcp/echo", "/tools/mcp", "/tools/mcp/echo", "/tools/servers/echo/mcp"]) {
      assert.match(await textFor(url + path), ECHOED, path);
    }
    assert.equal(await textFor(url, {}), "200 home");
    assert.match(await textFor(`${url}/tools/health`, {}), /^200 {"status":"ok"}/);
    assert.match(await textFor(`${url}/tools`, {}), /^404 /);
    assert.match(await textFor(`${url}/tools/mcp?X=1`), /^400 .*\\"X\\"/);
  });

  test("Express at the very path of the transport, when that is the root of the handler's", async (t) => {
    const { listener } = setUp(t, "echo", { paths: { mcp: "/" } });
    const url = await listening(t, express().use("/mcp", listener));
    for (const path of ["/mcp", "/mcp/", "/mcp/echo"]) assert.match(await textFor(url + path), ECHOED, path);
  });

  test("a framework that hands out the two objects of node:http", async (t) => {
    const { listener } = setUp(t, "echo");
    const hijacked = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
      await Promise.resolve();
      await listener(incoming, outgoing);
    };
    const url = await listening(t, (incoming, outgoing) => void hijacked(incoming, outgoing));
    assert.match(await textFor(`${url}/mcp`), ECHOED);
  });
});

describe("a body that a middleware has read", () => {
  const parsers: readonly (readonly [what: string, parser: express.Handler])[] = [
    ["as an object", express.json()],
    ["as text", express.text({ type: "*/*" })],
    ["as a Buffer", express.raw({ type: "*/*" })],
  ];
  for (const [what, parser] of parsers) {
    test(`is taken ${what}`, async (t) => {
      const { listener } = setUp(t, "echo");
      const url = await listening(t, express().use(parser).use(listener));
      assert.match(await textFor(`${url}/mcp`, post(call("echo", { text: "grüße" }))), /^200 .*grüße/);
      assert.match(await textFor(`${url}/mcp`, post([])), /^400 .*"code":-32600/);
    });
  }

  test("may come in an encoding that the middleware undoes, and not as another type", async (t) => {
    const { listener } = setUp(t, "echo");
    const url = await listening(
      t,
      express()
        .use(express.text({ type: "*/*" }))
        .use(listener),
    );
    const headers = { ...post({}).headers, "content-encoding": "gzip" };
    const asked = gzipSync(JSON.stringify(call("echo", { text: "grüße" })));
    const send = (more: object): Promise<string> =>
      textFor(`${url}/mcp`, { method: "POST", headers: { ...headers, ...more }, body: asked });
    assert.match(await send({}), /^200 .*grüße/);
    assert.match(await send({ "content-type": "application/json; charset=utf-8" }), /^200 .*grüße/);
    assert.match(await send({ "content-type": "text/plain" }), /^415 /);
  });

  test("counts for the limit", async (t) => {
    const { listener } = setUp(t, "echo", { maxBodyBytes: 100 });
    const url = await listening(t, express().use(express.json()).use(listener));
    const body = JSON.stringify(call("echo", { text: "x".repeat(100) }));
    const headers = { ...post({}).headers, "transfer-encoding": "chunked" };
    const [response] = (await within(
      once(httpRequest(`${url}/mcp`, { method: "POST", headers }).end(body), "response"),
      WAIT_MS,
      "an answer",
    )) as [IncomingMessage];
    response.resume();
    assert.equal(response.statusCode, 413);
  });

  test("and kept for itself is an error that says so", async (t) => {
    const { listener } = setUp(t, "echo");
    const selfish: RequestListener = (incoming, outgoing) =>
      void incoming.toArray().then(() => listener(incoming, outgoing));
    const url = await listening(t, selfish);
    const text = await textFor(`${url}/mcp`);
    assert.match(text, /^400 .*another middleware has read it and left no body property/);
  });

  test("is not taken for one where nothing was read: some parsers leave an empty object", async (t) => {
    const { listener } = setUp(t, "echo");
    const url = await listening(t, (incoming, outgoing) => {
      void listener(Object.assign(incoming, { body: {} }), outgoing);
    });
    assert.match(await textFor(`${url}/mcp`), ECHOED);
    assert.match(await textFor(`${url}/health`, {}), /^200 /);
  });

  test("passes byte for byte when nobody has", async (t) => {
    const seen: string[] = [];
    const { listener } = setUp(t, "echo", { onMessage: (_server, _direction, text) => seen.push(text) });
    const url = await listening(t, express().use(listener));
    const params = '{"name":"echo", "arguments":{"n":9007199254740993}}';
    const raw = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
    assert.match(await textFor(`${url}/mcp`, post(raw)), ECHOED);
    assert.ok(seen.some((text) => text.includes(params)));
  });
});

describe("an event stream", () => {
  const body = (steps: number): RequestInit =>
    post(call("progress", { steps, delayMs: 20 }, { meta: { progressToken: 1 } }));

  test("leaves Express while it is written", async (t) => {
    const { listener } = setUp(t, "progress");
    const url = await listening(t, express().use(express.json()).use(listener));
    const frames: string[] = [];
    const response = await within(fetch(`${url}/mcp`, body(3)), WAIT_MS, "a stream");
    for await (const { data } of readEvents(response)) if (data) frames.push(data);
    assert.ok(frames.some((data) => data.includes("notifications/progress")));
    assert.match(frames.at(-1) ?? "", /3 steps done/);
  });

  for (const parser of [[], [express.json()]]) {
    test(`ends the server when its client goes, behind ${parser.length} parsers`, async (t) => {
      const { listener, token } = setUp(t, "progress");
      const url = await listening(t, express().use(...parser, listener));
      const controller = new AbortController();
      const asked = fetch(`${url}/mcp`, { ...body(1000), signal: controller.signal });
      const response = await within(asked, WAIT_MS, "a stream");
      assert.equal(processesWith(token).length, 1);
      controller.abort();
      await assert.rejects(response.text());
      await waitUntilGone(token);
    });
  }

  test("waits for a client that does not read, and does not fill the memory", async (t) => {
    const { listener, token } = setUp(t, "flood");
    let outgoing: ServerResponse | undefined;
    const url = await listening(t, (incoming, response) => {
      if (incoming.method === "POST") outgoing = response;
      void listener(incoming, response);
    });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    const text = JSON.stringify(call("any", { count: 1_000_000 }));
    const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}`;
    socket.write(`${head}\r\nAccept: */*\r\n\r\n${text}`);
    await until(() => outgoing?.writableNeedDrain, { withinMs: WAIT_MS, label: "the client is full" });
    // As long as these take, the server would go on writing.
    for (let asked = 0; asked < 20; asked++) await textFor(`${url}/health`, {});
    assert.ok((outgoing?.writableLength ?? 0) < 1_000_000, `${outgoing?.writableLength} bytes wait`);
    assert.equal(processesWith(token).length, 1);
    socket.destroy();
    await waitUntilGone(token);
  });
});

test("what is no request is refused, and the host lives", async (t) => {
  const { listener } = setUp(t, "echo");
  const url = await listening(t, (incoming, outgoing) => void listener(incoming, outgoing));
  for (const head of ["GET /health HTTP/1.0", "GET /health HTTP/1.1\r\nHost: a b/c"]) {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.end(`${head}\r\n\r\n`);
    const [first] = (await within(once(socket, "data"), WAIT_MS, "an answer")) as [Buffer];
    assert.match(first.toString(), /^HTTP\/1\.1 400 /);
    socket.destroy();
  }
  assert.match(await textFor(`${url}/mcp`), ECHOED);
});
