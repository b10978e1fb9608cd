import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { after, describe, test } from "node:test";

import { createLambdaHandlers } from "../../lib/adapters/lambda.ts";
import type { BufferedAnswer, LambdaHandlers } from "../../lib/adapters/lambda.ts";
import type { HttpEvent } from "../../lib/adapters/lambda/platform.ts";
import { toolNameOf } from "../../lib/adapters/lambda/tool-call.ts";
import { ConfigurationError } from "../../lib/index.ts";
import type { HandlerOptions } from "../../lib/index.ts";
import { FIXTURES, contractServers } from "../contract.ts";
import { until, within } from "../support/deadline.ts";
import { testToken } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, initialize, post } from "../support/rpc.ts";
import { contextOf, eventOfBalancer, eventV1, eventV2, sent } from "./events.ts";

const token = testToken();
const mcpServers = contractServers(FIXTURES, token, "refuse");
const handlers = createLambdaHandlers({ mcpServers, allowAnonymous: true });
after(() => waitUntilGone(token));

/** What the platform reads of a stream: its type, and each chunk as it comes. */
function createStream(highWaterMark?: number) {
  const chunks: Buffer[] = [];
  const types: string[] = [];
  const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
    chunks.push(chunk);
    if (highWaterMark === undefined) done();
    else setImmediate(done);
  };
  const writable = new Writable({ write, ...(highWaterMark !== undefined && { highWaterMark }) });
  const stream = Object.assign(writable, { setContentType: (type: string) => types.push(type) });
  return { stream, chunks, types };
}

interface Head {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
}

function headIn(chunk: Buffer | undefined): Head {
  const text = String(chunk);
  assert.ok(text.endsWith("\0".repeat(8)), "eight zeroes end the head");
  return JSON.parse(text.slice(0, -8)) as Head;
}

function callEvent(server: string, body: object, headers: Record<string, string> = {}): HttpEvent {
  return eventV2(sent(`/mcp/${server}`, post(body, headers)));
}

async function buffered(
  event: unknown,
  { bufferedHandler }: LambdaHandlers = handlers,
): Promise<BufferedAnswer> {
  return (await bufferedHandler(event, contextOf())) as BufferedAnswer;
}

describe("a streaming handler", () => {
  test("is marked for the runtime without its global", () => {
    const marks = handlers.handler as unknown as Record<symbol, unknown>;
    assert.equal(marks[Symbol.for("aws.lambda.runtime.handler.streaming")], "response");
  });

  test("writes the head at once, and each message as a chunk of its own", async () => {
    const { stream, chunks, types } = createStream();
    const body = call("progress", { delayMs: 1 }, { meta: { progressToken: 1 } });
    await handlers.handler(callEvent("progress", body), stream, contextOf());
    assert.deepEqual(types, ["application/vnd.awslambda.http-integration-response"]);
    const { statusCode, headers, cookies } = headIn(chunks[0]);
    assert.deepEqual([statusCode, headers["content-type"], cookies], [200, "text/event-stream", []]);
    const texts = chunks.slice(1).map(String);
    assert.equal(texts.length, 5);
    assert.ok(texts.every((text) => text.startsWith("event: message\n") && text.endsWith("\n\n")));
    assert.ok(stream.writableEnded);
  });

  test("tells the length of JSON, as the stream ends later, with the process", async () => {
    const { stream, chunks } = createStream();
    await handlers.handler(callEvent("spawns-grandchild", call("any")), stream, contextOf());
    assert.deepEqual(processesWith(token), []);
    const { headers } = headIn(chunks[0]);
    assert.equal(headers["content-length"], String(Buffer.concat(chunks.slice(1)).length));
  });

  test("waits for a platform that takes its time", async () => {
    const { stream, chunks } = createStream(1024);
    let most = 0;
    stream.on("drain", () => (most = Math.max(most, stream.writableLength)));
    const write = stream.write.bind(stream) as (chunk: Uint8Array) => boolean;
    stream.write = (chunk: Uint8Array): boolean => {
      const goesOn = write(chunk);
      most = Math.max(most, stream.writableLength);
      return goesOn;
    };
    await handlers.handler(callEvent("big", call("big", { bytes: 4 * 1024 ** 2 })), stream, contextOf());
    await finished(stream);
    assert.ok(Buffer.concat(chunks).length > 4 * 1024 ** 2);
    assert.ok(most <= 65 * 1024, `${most} bytes waited`);
  });

  test("ends the server when the platform takes nothing any more", async () => {
    const { stream, chunks } = createStream();
    const body = call("progress", { steps: 1000, delayMs: 50 }, { meta: { progressToken: 1 } });
    const write = stream.write.bind(stream) as (chunk: Uint8Array) => boolean;
    stream.write = (chunk: Uint8Array): boolean => {
      const goesOn = write(chunk);
      if (chunks.length > 2) stream.destroy();
      return goesOn;
    };
    await handlers.handler(callEvent("progress", body), stream, contextOf());
    assert.deepEqual(processesWith(token), []);
  });

  test("ends a server that says nothing when the stream fails, which nobody else hears of", async () => {
    const { stream } = createStream();
    const answered = handlers.handler(callEvent("slow", call("wait")), stream, contextOf(60_000));
    await until(() => processesWith(token).length > 0, { withinMs: 10_000, label: "the server runs" });
    stream.destroy(new Error("the connection was reset"));
    await within(answered, 10_000, "the invocation is over");
    assert.deepEqual(processesWith(token), []);
    for (const event of ["close", "error", "drain"]) assert.equal(stream.listenerCount(event), 0, event);
  });

  test("tells a stream's client of a server that dies in the middle", async () => {
    const { stream, chunks } = createStream();
    const meta = { progressToken: 1 };
    const limited = createLambdaHandlers({
      mcpServers: {
        progress: { ...mcpServers["progress"], command: process.execPath, requestTimeoutMs: 300 },
      },
      allowAnonymous: true,
    });
    const body = call("progress", { steps: 1000, delayMs: 20 }, { meta });
    await limited.handler(callEvent("progress", body), stream, contextOf());
    assert.match(String(chunks.at(-1)), /"id":1,"error":.*within 300 milliseconds/);
  });

  test("answers before the platform's time is over, and leaves nothing behind", async () => {
    const { stream, chunks } = createStream();
    const body = call("any");
    await handlers.handler(callEvent("ignores-sigterm", initialize()), createStream().stream, contextOf());
    const context = contextOf(3000);
    await handlers.handler(callEvent("slow", call("wait", {}, { id: 4 })), stream, context);
    assert.ok(context.getRemainingTimeInMillis() > 0, "the platform would have ended it");
    assert.match(String(chunks.at(-1)), /"id":4,"error":.*"reason":"timeout"/, JSON.stringify(body));
    assert.deepEqual(processesWith(token), []);
  });
});

describe("a buffered handler", () => {
  const echo = post(call("echo"), { accept: "application/json" });

  test("answers in payload format 2.0", async () => {
    const answer = await buffered(eventV2(sent("/mcp/echo", echo)));
    assert.deepEqual(Object.keys(answer).toSorted(), ["body", "headers", "isBase64Encoded", "statusCode"]);
    assert.deepEqual([answer.statusCode, answer.headers?.["content-type"]], [200, "application/json"]);
    assert.match(answer.body, /"result"/);
    assert.deepEqual(processesWith(token), []);
  });

  test("answers a REST API and a load balancer in the form of their headers", async () => {
    const request = sent("/mcp/echo", echo);
    for (const event of [eventV1(request), eventOfBalancer(request, true)]) {
      const { headers, multiValueHeaders } = await buffered(event);
      assert.deepEqual([headers, multiValueHeaders?.["content-type"]], [undefined, ["application/json"]]);
    }
    const { headers, multiValueHeaders } = await buffered(eventOfBalancer(request, false));
    assert.deepEqual([headers?.["content-type"], multiValueHeaders], ["application/json", undefined]);
  });

  test("brings all messages of a stream at once", async () => {
    const body = call("progress", { delayMs: 1 }, { meta: { progressToken: 1 } });
    const answer = await buffered(callEvent("progress", body));
    assert.equal(answer.headers?.["content-type"], "text/event-stream");
    assert.equal(answer.body.split("event: message\n").length - 1, 5);
  });

  const sizes: readonly (readonly [what: string, event: HttpEvent, limit: number])[] = [
    ["6 MiB", callEvent("big", call("big", { bytes: 6 * 1024 ** 2 }, { id: 77 })), 6 * 1024 ** 2],
    [
      "1 MiB to a load balancer",
      eventOfBalancer(sent("/mcp/big", post(call("big", { bytes: 1024 ** 2 }, { id: 77 }))), false),
      1024 ** 2,
    ],
  ];
  for (const [what, event, limit] of sizes) {
    test(`says that an answer of ${what} is too large, in place of the platform`, async () => {
      const { statusCode, body } = await buffered(event);
      const { id, error } = JSON.parse(body) as { id: number; error: { code: number; message: string } };
      assert.deepEqual([statusCode, id, error.code], [200, 77, -32603]);
      assert.match(error.message, new RegExp(`larger than ${limit} bytes`));
    });
  }

  test("refuses a request that no URL can be made of with 400 and JSON", async () => {
    const { statusCode, body, headers } = await buffered({
      ...callEvent("echo", call("echo")),
      headers: { host: "a/b" },
    });
    assert.deepEqual([statusCode, headers?.["content-type"]], [400, "application/json"]);
    assert.match(body, /-32600/);
  });
});

describe("both handlers", () => {
  test("reject an event of another source, and say what it was", async () => {
    const event = { Records: [{ body: "a secret" }], source: "x" };
    const expected = new TypeError(
      "This event is neither an HTTP request nor a tool call of AgentCore Gateway: found an object of Records, source",
    );
    await assert.rejects(handlers.bufferedHandler(event, contextOf()), expected);
    await assert.rejects(handlers.handler(event, createStream().stream, contextOf()), expected);
  });

  test("are closed without a key", async () => {
    const closed = createLambdaHandlers({ mcpServers });
    assert.equal((await buffered(callEvent("echo", call("echo")), closed)).statusCode, 401);
  });

  const outliving: readonly Partial<HandlerOptions>[] = [
    { inputMode: "hold" },
    { sessions: "shared" },
    { transports: ["mcp", "sse"] },
    { snapshotTtlMs: 1 },
  ];
  for (const option of outliving) {
    test(`cannot be made with ${JSON.stringify(option)}, which needs a process that stays`, () => {
      const [name = ""] = Object.keys(option);
      const refused = (error: unknown): boolean =>
        error instanceof ConfigurationError &&
        error.message.includes(name) &&
        /a function cannot/.test(error.message);
      assert.throws(() => createLambdaHandlers({ mcpServers, ...option }), refused);
    });
  }
});

describe("a tool call of AgentCore Gateway", () => {
  test("is known by the client context, in which the tool's name stands behind that of the target", () => {
    const nameIn = (name: string) => toolNameOf(contextOf(0, name));
    assert.deepEqual(nameIn("target___a___b"), { target: "target", tool: "a___b" });
    assert.deepEqual(nameIn("alone"), { target: "", tool: "alone" });
    const Custom = { bedrockAgentCoreToolName: "t___a" };
    assert.deepEqual(toolNameOf({ ...contextOf(), clientContext: { Custom } }), { target: "t", tool: "a" });
    assert.equal(toolNameOf({ ...contextOf(), clientContext: { custom: { other: "x" } } }), undefined);
    assert.equal(toolNameOf(contextOf()), undefined);
  });

  test("is one tools/call with the event as its arguments, and needs no key", async () => {
    const { bufferedHandler } = createLambdaHandlers({ mcpServers, authKeys: ["a key of the door"] });
    const result = await bufferedHandler({ a: 1, requestContext: {} }, contextOf(5000, "echo___echo"));
    assert.deepEqual(result, {
      content: [{ type: "text", text: '{"name":"echo","arguments":{"a":1,"requestContext":{}}}' }],
    });
    assert.deepEqual(processesWith(token), []);
  });

  test("goes to the default server where its target has another name", async () => {
    const one = createLambdaHandlers({ mcpServers, default: "echo" });
    const result = await one.bufferedHandler({}, contextOf(5000, "my-target___received"));
    assert.match(JSON.stringify(result), /"content":.*tools\/call/);
  });

  test("is answered by the streaming handler with the same, as the server wrote it", async () => {
    const { stream, chunks, types } = createStream();
    const line = '{"jsonrpc":"2.0","id":"@id","result":{"content":[],"n":9007199254740993}}';
    await handlers.handler({ line }, stream, contextOf(5000, "verbatim___any"));
    assert.deepEqual(
      [types, String(Buffer.concat(chunks))],
      [["application/json"], '{"content":[],"n":9007199254740993}'],
    );
  });

  test("hands on an error of the tool as its result", async () => {
    const line =
      '{"jsonrpc":"2.0","id":"@id","result":{"content":[{"type":"text","text":"no"}],"isError":true}}';
    const result = await handlers.bufferedHandler({ line }, contextOf(5000, "verbatim___any"));
    assert.deepEqual(result, { content: [{ type: "text", text: "no" }], isError: true });
  });

  const failures: readonly (readonly [tool: string, message: RegExp])[] = [
    [
      "crashes-in-call___any",
      /^ToolCallFailed: The server "crashes-in-call" ended with exit code 7.* \(-32603\)$/,
    ],
    ["lists-tools___delete_a", /^ToolCallFailed: Unknown tool: delete_a \(-32602\)$/],
    ["nobody___any", /^ToolCallFailed: Several servers are configured.* \(-32600\)$/],
  ];
  for (const [tool, message] of failures) {
    test(`fails with the reason: ${tool}`, async () => {
      await assert.rejects(handlers.bufferedHandler({}, contextOf(5000, tool)), (error) => {
        assert.match(String(error), message);
        return true;
      });
      await assert.rejects(handlers.handler({}, createStream().stream, contextOf(5000, tool)), message);
      assert.deepEqual(processesWith(token), []);
    });
  }
});
