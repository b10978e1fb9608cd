import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import { splitCommandLine } from "../../lib/configuration/command-line.ts";
import { readLine } from "../support/command-line.ts";
import { within } from "../support/deadline.ts";
import { codeIn } from "../support/documents.ts";
import { fixture } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";
import { connectSse } from "../support/sse-client.ts";

const WAIT_MS = 15_000;
const NAME = "mcp.example.com";
const PREFIX = "/tools";
const KEY = { "x-api-key": "k3y" };

/** A proxy for a public name, as docs/reverse-proxy.md sets them up: it hands on the Host, and cuts a prefix off. */
async function proxyTo(t: TestContext, target: string, added: IncomingHttpHeaders = {}): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, host: NAME, "x-forwarded-proto": "https", ...added };
    const path = incoming.url?.slice(PREFIX.length) ?? "";
    const passed = httpRequest(target + path, { method: incoming.method ?? "GET", headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    outgoing.on("close", () => passed.destroy());
    incoming.pipe(passed);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${PREFIX}`;
}

/** Where a server is that stands behind the proxy; after the test no process is left of it. */
async function setUp(t: TestContext, options: Partial<ServeOptions> = {}, added: IncomingHttpHeaders = {}) {
  const { command, args, token } = fixture("remembers");
  const mcpServers = { remembers: { command, args } };
  const server = await serve({ mcpServers, port: 0, authKeys: ["k3y"], ...options });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return proxyTo(t, server.url, added);
}

function ask(url: string, init?: RequestInit): Promise<Response> {
  return within(fetch(url, init), WAIT_MS, `an answer of ${url}`);
}

describe("behind a proxy that hands on the Host", () => {
  test("a host that was not told its name says which option it needs, and is healthy", async (t) => {
    const url = await setUp(t);
    const refused = await ask(`${url}/mcp`, post(call("count"), KEY));
    assert.equal(refused.status, 403);
    assert.match(await refused.text(), /--allowed-hosts/);
    assert.equal((await ask(`${url}/health`)).status, 200);
  });

  test("streamable HTTP works below the prefix", async (t) => {
    const url = await setUp(t, { allowedHosts: [NAME] });
    const answer = await ask(`${url}/mcp/remembers`, post(call("count"), KEY));
    assert.match(await answer.text(), /"result"/);
    assert.equal((await ask(`${url}/mcp`, post(call("count")))).status, 401);
  });

  test("HTTP+SSE works below the prefix: its client posts to where the proxy is", async (t) => {
    const url = await setUp(t, { allowedHosts: ["*.example.com"] });
    const client = await connectSse(t, url, { path: `${PREFIX}/sse/remembers`, headers: KEY });
    assert.equal(client.endpoint.pathname, `${PREFIX}/messages`);
    const { result } = await client.initialize();
    assert.ok(result);
  });

  test("a page of that name is no stranger, although the proxy speaks HTTPS and we do not", async (t) => {
    const url = await setUp(t, { allowedHosts: [`${NAME}:443`] });
    const from = (origin: string): Promise<Response> =>
      ask(`${url}/mcp`, post(call("count"), { ...KEY, origin }));
    assert.equal((await from(`https://${NAME}`)).status, 200);
    assert.equal((await from("https://evil.example")).status, 403);
  });

  test("what a forwarding header says lets nobody in", async (t) => {
    const forwarded = { "x-forwarded-host": "localhost", forwarded: "for=127.0.0.1;host=localhost" };
    const more = { "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "x-original-host": "localhost" };
    const url = await setUp(t, {}, { ...forwarded, ...more });
    assert.equal((await ask(`${url}/servers`, { headers: KEY })).status, 403);
  });
});

test("the command lines of the page about proxies are read, and close what the proxy opens", async () => {
  const lines = (await codeIn("docs/reverse-proxy.md", "sh"))
    .flatMap(({ code }) => code.split("\n"))
    .filter((line) => line.includes("npx mcp-mayfly"));
  assert.ok(lines.length > 0);
  for (const line of lines) {
    const words = splitCommandLine(line.slice(line.indexOf("npx")), "docs/reverse-proxy.md").slice(2);
    assert.doesNotThrow(() => readLine(words, {}));
    assert.match(line, /^AUTH_KEY=/);
  }
});
