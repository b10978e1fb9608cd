import assert from "node:assert/strict";
import { test } from "node:test";

import { exampleCall, exampleStream } from "../../lib/cli/example.ts";

/** A server whose answers are all the same. */
function answering(body: object, status = 200, url = "http://127.0.0.1:1") {
  return { url, handler: { fetch: () => Promise.resolve(Response.json(body, { status })) } };
}

const REFUSAL = { error: { code: -32600, message: "This Host header is not allowed" } };

test("an address that a shell would read otherwise is quoted", async () => {
  const example = await exampleCall(answering({ result: { tools: [] } }, 200, "http://[::1]:8000"), "/mcp");
  assert.match(example.line ?? "", /^curl -sS 'http:\/\/\[::1\]:8000\/mcp' /);
});

test("what the door refuses is told, with either transport", async () => {
  const called = await exampleCall(answering(REFUSAL, 403), "/mcp");
  assert.deepEqual(called, { failure: REFUSAL.error.message });
  const streamed = await exampleStream(answering(REFUSAL, 403), "/sse");
  assert.deepEqual(streamed, { failures: [REFUSAL.error.message] });
});

test("an answer that is none is told by its status", async () => {
  assert.deepEqual(await exampleCall(answering({}, 500), "/mcp"), { failure: "HTTP 500" });
});

test("nothing is told of a host that stops meanwhile, with either transport", async () => {
  const error = { code: -32603, message: "This host is shutting down", data: { reason: "shutdown" } };
  assert.deepEqual(await exampleCall(answering({ error }, 503), "/mcp"), {});
  assert.deepEqual(await exampleStream(answering({ error }, 503), "/sse"), { failures: [] });
  const { message, data } = error;
  const body = { status: "failed", servers: { one: { status: "failed", message, ...data } } };
  assert.deepEqual(await exampleStream(answering(body, 503), "/sse"), { failures: [] });
});
