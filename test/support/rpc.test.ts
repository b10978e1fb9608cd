import assert from "node:assert/strict";
import { test } from "node:test";

import { JSON_HEADERS, call, initialize, notification, post, request } from "./rpc.ts";

test("bodies are what the protocol says, with nothing that was not given", () => {
  const jsonrpc = "2.0";
  assert.deepEqual(request("ping"), { jsonrpc, id: 1, method: "ping" });
  assert.deepEqual(notification("notifications/initialized"), {
    jsonrpc,
    method: "notifications/initialized",
  });
  const params = { name: "echo", arguments: { a: 1 }, _meta: { progressToken: 2 } };
  const echo = call("echo", { a: 1 }, { id: "x", meta: { progressToken: 2 } });
  assert.deepEqual(echo, { jsonrpc, id: "x", method: "tools/call", params });
  assert.deepEqual(call("echo").params, { name: "echo", arguments: {} });
  assert.equal(initialize({ protocolVersion: "2025-03-26" }).params?.["protocolVersion"], "2025-03-26");
});

test("a text is posted as it is, and headers are added", async () => {
  const sent = new Request("http://127.0.0.1/mcp", post('{"id":9007199254740993}', { "x-added": "1" }));
  assert.deepEqual(Object.fromEntries(sent.headers), { ...JSON_HEADERS, "x-added": "1" });
  assert.equal(await sent.text(), '{"id":9007199254740993}');
});
