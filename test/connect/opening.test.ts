import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { answeringServer, connected } from "../support/connected.ts";
import type { Asked } from "../support/connected.ts";
import { modern } from "../support/modern.ts";
import { initialize, notification, request } from "../support/rpc.ts";

const INITIALIZED = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  serverInfo: { name: "s", version: "1" },
};
const DISCOVERED = {
  supportedVersions: ["2026-07-28"],
  capabilities: {},
  resultType: "complete",
  ttlMs: 0,
  cacheScope: "private",
};
const rpcError = (code: number, data?: object): object => ({
  jsonrpc: "2.0",
  id: null,
  error: { code, message: "no", ...(data && { data }) },
});

/** A server of the older revisions by streamable HTTP. */
function legacy({ method, rpc, json, result, response }: Asked): void {
  if (method !== "POST") response.writeHead(405).end();
  else if (rpc === "initialize") result(INITIALIZED, { "mcp-session-id": "s1" });
  else if (rpc?.startsWith("notifications/")) response.writeHead(202).end();
  else if (rpc === "server/discover") json(400, rpcError(-32000));
  else result({ rpc });
}

/** A server that has no handshake. */
function modernOnly({ method, rpc, json, result, response, headers }: Asked): void {
  if (method !== "POST") response.writeHead(405).end();
  else if (rpc === "initialize") json(400, rpcError(-32022, { supported: ["2026-07-28"], requested: "x" }));
  else if (headers["mcp-protocol-version"] !== "2026-07-28") json(400, rpcError(-32020));
  else if (rpc === "server/discover") result(DISCOVERED);
  else result({ rpc, resultType: "complete" });
}

/** HTTP+SSE: the stream stays open, and answers come on it. */
function httpSse(fallback: number): (asked: Asked) => void {
  let stream: Asked["response"] | undefined;
  return ({ method, rpc, id, response }) => {
    if (method === "GET") {
      stream = response;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("event: endpoint\ndata: /messages?sessionId=1\n\n");
    } else if (response.req.url === "/mcp") response.writeHead(fallback).end("nothing here");
    else {
      response.writeHead(202).end();
      const result = rpc === "initialize" ? INITIALIZED : { rpc };
      if (id !== undefined)
        stream?.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`);
    }
  };
}

const modernRequest = (method: string, id: number): string => modern(method, {}, { id }).body;

describe("a legacy client", () => {
  test("opens a session with a legacy remote by its own handshake", async (t) => {
    const { url, asked } = await answeringServer(t, legacy);
    const { send, answer } = connected(t, url);
    send(initialize({ id: 0 }));
    assert.deepEqual((await answer(0)).result, INITIALIZED);
    send(notification("notifications/initialized"));
    send(request("tools/list", {}, 1));
    assert.deepEqual((await answer(1)).result, { rpc: "tools/list" });
    assert.equal(asked.find(({ rpc }) => rpc === "tools/list")?.headers["mcp-session-id"], "s1");
    assert.equal(asked.filter(({ rpc }) => rpc === "server/discover").length, 0);
  });

  for (const status of [400, 404, 405, 406, 415, 501]) {
    test(`goes on by HTTP+SSE where a POST is answered with ${status}`, async (t) => {
      const { url } = await answeringServer(t, httpSse(status));
      const { send, answer } = connected(t, url);
      send(initialize({ id: 0 }));
      assert.deepEqual((await answer(0)).result, INITIALIZED);
      send(request("tools/list", {}, 1));
      assert.deepEqual((await answer(1)).result, { rpc: "tools/list" });
    });
  }

  test("is told what both transports were answered with where there is neither", async (t) => {
    const { url } = await answeringServer(t, ({ response, method }) =>
      method === "POST"
        ? response.writeHead(404, { "content-type": "text/plain" }).end("no such thing")
        : response.writeHead(200, { "content-type": "text/html" }).end("<html>hello</html>"),
    );
    const { send, answer } = connected(t, url);
    send(initialize({ id: 0 }));
    const message = (await answer(0)).error?.message ?? "";
    assert.match(message, /HTTP 404: no such thing/);
    assert.match(message, /By HTTP\+SSE: .*not MCP/);
  });

  test("hears the server's own error where it is an MCP server that refuses", async (t) => {
    const { url, asked } = await answeringServer(t, ({ method, json, response, id }) =>
      method === "POST"
        ? json(200, { ...rpcError(-32602, { why: "old" }), id })
        : response.writeHead(405).end(),
    );
    const { send, answer } = connected(t, url);
    send(initialize({ id: 0 }));
    assert.deepEqual((await answer(0)).error, { code: -32602, message: "no", data: { why: "old" } });
    assert.deepEqual(
      asked.map(({ method }) => method),
      ["POST"],
    );
  });

  for (const status of [401, 403]) {
    test(`is told at once about a ${status}, and nothing else is tried`, async (t) => {
      const { url, asked } = await answeringServer(t, ({ response }) => response.writeHead(status).end());
      const { send, answer } = connected(t, url);
      send(initialize({ id: 0 }));
      assert.deepEqual((await answer(0)).error?.data, { reason: "unauthorized" });
      assert.equal(asked.length, 1);
    });
  }

  test("waits for a gateway whose server is away", async (t) => {
    let failures = 2;
    const { url } = await answeringServer(t, (asked) =>
      (failures -= 1) >= 0 ? asked.response.writeHead(503).end("starting") : legacy(asked),
    );
    const { send, answer, logged } = connected(t, url);
    send(initialize({ id: 0 }));
    assert.deepEqual((await answer(0)).result, INITIALIZED);
    assert.match(logged.join("\n"), /^cannot reach http:.*HTTP 503.*; trying again\n.*is there again$/);
  });
});

test("a remote that says when to come back is not asked before", async (t) => {
  const times: number[] = [];
  const { url } = await answeringServer(t, (asked) => {
    if (times.push(performance.now()) > 1) legacy(asked);
    else asked.response.writeHead(429, { "retry-after": "1" }).end();
  });
  const { send, answer } = connected(t, url);
  send(initialize({ id: 0 }));
  assert.deepEqual((await answer(0)).result, INITIALIZED);
  const [first = 0, second = 0] = times;
  assert.ok(second - first >= 990, `${second - first} ms`);
});

describe("a modern client", () => {
  test("has its requests passed to a modern remote after one probe", async (t) => {
    const { url, asked } = await answeringServer(t, modernOnly);
    const { send, answer } = connected(t, url);
    send(modernRequest("tools/list", 1));
    send(modernRequest("prompts/list", 2));
    assert.deepEqual((await answer(1)).result, { rpc: "tools/list", resultType: "complete" });
    await answer(2);
    assert.equal(asked[0]?.rpc, "server/discover");
    assert.equal(asked.length, 3);
    assert.equal(asked.filter(({ rpc }) => rpc === "server/discover").length, 1);
  });

  test("with a flawed envelope is told so, and may mend it", async (t) => {
    const { url } = await answeringServer(t, modernOnly);
    const { send, answer } = connected(t, url);
    const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
    send(request("tools/list", { _meta: meta }, 1));
    assert.match((await answer(1)).error?.message ?? "", /clientCapabilities is not an object/);
    send(modernRequest("tools/list", 2));
    assert.ok((await answer(2)).result);
  });

  test("is told at once about a 401", async (t) => {
    const { url, asked } = await answeringServer(t, ({ response }) => response.writeHead(401).end());
    const { send, answer } = connected(t, url);
    send(modernRequest("tools/list", 1));
    assert.deepEqual((await answer(1)).error?.data, { reason: "unauthorized" });
    assert.equal(asked.length, 1);
  });
});

describe("eras that differ", () => {
  test("are bridged for a legacy client whose handshake a modern remote refuses", async (t) => {
    const { url } = await answeringServer(t, modernOnly);
    const { send, answer } = connected(t, url);
    send(initialize({ id: 0 }));
    const { protocolVersion } = (await answer(0)).result as { protocolVersion: string };
    assert.equal(protocolVersion, "2025-11-25");
    send(notification("notifications/initialized"));
    send(request("tools/list", {}, 1));
    assert.deepEqual((await answer(1)).result, { rpc: "tools/list" });
  });

  test("are bridged for a modern client by a handshake in its name", async (t) => {
    const { url, asked } = await answeringServer(t, legacy);
    const { send, answer } = connected(t, url);
    send(modernRequest("server/discover", 1));
    const { supportedVersions } = (await answer(1)).result as { supportedVersions: string[] };
    assert.deepEqual(supportedVersions, ["2026-07-28"]);
    send(modernRequest("x/y", 2));
    assert.equal(((await answer(2)).result as { rpc: string }).rpc, "x/y");
    assert.deepEqual(
      asked.slice(0, 2).map(({ rpc }) => rpc),
      ["server/discover", "initialize"],
    );
  });

  test("are bridged for a modern client before a remote by HTTP+SSE", async (t) => {
    const { url } = await answeringServer(t, httpSse(405));
    const { send, answer } = connected(t, url);
    send(modernRequest("server/discover", 1));
    assert.ok((await answer(1)).result);
  });
});

describe("a transport that was chosen", () => {
  test("is the only one: streamable HTTP", async (t) => {
    const { url, asked } = await answeringServer(t, httpSse(404));
    const { send, answer } = connected(t, url, { transport: "http" });
    send(initialize({ id: 0 }));
    assert.match((await answer(0)).error?.message ?? "", /HTTP 404/);
    assert.deepEqual(
      asked.map(({ method }) => method),
      ["POST"],
    );
  });

  test("is the only one: HTTP+SSE", async (t) => {
    const { url, asked } = await answeringServer(t, httpSse(404));
    const { send, answer } = connected(t, url, { transport: "sse" });
    send(initialize({ id: 0 }));
    await answer(0);
    assert.equal(asked[0]?.method, "GET");
  });
});
