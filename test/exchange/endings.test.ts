import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../../lib/index.ts";
import type { Handler, HandlerOptions, Logger } from "../../lib/index.ts";
import { until, within } from "../support/deadline.ts";
import { readAll, readEvents } from "../support/event-stream.ts";
import { temporaryFolder, waitForLine } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";
import { modernCall } from "../support/modern.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, initialize, notification, post } from "../support/rpc.ts";

interface Failure {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly data?: { readonly reason?: string } };
}

interface Setup {
  readonly handler: Handler;
  readonly token: string;
  readonly send: (body: object, init?: RequestInit) => Promise<Response>;
}

/** A handler over one fixture; when the test is over, it is closed and no process may be left. */
function setUp(t: TestContext, name: string, options: Partial<HandlerOptions> = {}): Setup {
  const { command, args, token } = fixture(name);
  const mcpServers = { [name]: { command, args, env: { SECRET_TOKEN: "s3cret-value" } } };
  const handler = createHandler({ mcpServers, allowAnonymous: true, ...options });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
  });
  const send = (body: object, init: RequestInit = {}): Promise<Response> => {
    const request = new Request("http://localhost/mcp", { ...post(body, { accept: "*/*" }), ...init });
    return within(handler.fetch(request), 10_000, `an answer of ${name}`);
  };
  return { handler, token, send };
}

/** Whether a number has stayed the same for twenty looks in a row. */
function quiet(read: () => number): () => boolean {
  let [last, looks] = [read(), 0];
  return () => {
    looks = read() === last ? looks + 1 : 0;
    last = read();
    return looks >= 20;
  };
}

async function failureOf(response: Response): Promise<Failure> {
  return (await response.json()) as Failure;
}

test("a flood of empty lines stops neither the time limit of its request nor other requests", async (t) => {
  const flooding = setUp(t, "floods-lines", { requestTimeoutMs: 500 });
  const startedAt = performance.now();
  const flooded = flooding.send(call("any"));
  const { send } = setUp(t, "counter");
  const answers = [await send(call("count")), await send(call("count"))];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.equal((await failureOf(await flooded)).error?.data?.reason, "timeout");
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < 5000, `${tookMs} milliseconds`);
});

for (const [name, messages] of [
  ["flood", true],
  ["floods-lines", false],
] as const) {
  test(`a server that writes without end is ended at the limit for one request (${name})`, async (t) => {
    const MIB = 1024 ** 2;
    const { send, token } = setUp(t, name, { maxOutputBytes: 3 * MIB });
    const arguments_ = { count: 1e9 };
    const response = await send(call("any", arguments_));
    // Of the messages, the client has had those that came before.
    const text = await within(response.text(), 20_000, "the end of the answer");
    assert.match(text, /"reason":"protocol"/);
    assert.ok(
      text.includes(`The server \\"${name}\\" wrote more than ${3 * MIB} bytes for one request`),
      text.slice(-300),
    );
    if (messages) assert.ok(text.length > 2 * MIB && text.length < 4 * MIB, `${text.length} characters`);
    await waitUntilGone(token);
  });
}

test("a server may have another limit for what it writes than the others", async (t) => {
  const bytes = 200_000;
  const sizes = { narrow: bytes - 1, wide: 2 * bytes };
  const fixtures = { narrow: fixture("big"), wide: fixture("big"), other: fixture("big") };
  const mcpServers = Object.fromEntries(
    Object.entries(fixtures).map(([name, { command, args }]) => {
      const maxOutputBytes = (sizes as Partial<Record<string, number>>)[name];
      return [name, { command, args, ...(maxOutputBytes !== undefined && { maxOutputBytes }) }];
    }),
  );
  const handler = createHandler({ mcpServers, allowAnonymous: true, maxOutputBytes: bytes });
  t.after(() => handler.close());
  const answers = Object.keys(fixtures).map(async (name) => {
    const request = new Request(`http://localhost/mcp/${name}`, post(call("big", { bytes })));
    const { error } = await failureOf(await within(handler.fetch(request), 10_000, "an answer"));
    return error?.message;
  });
  assert.deepEqual(await Promise.all(answers), [
    `The server "narrow" wrote more than ${bytes - 1} bytes for one request`,
    undefined,
    `The server "other" wrote more than ${bytes} bytes for one request`,
  ]);
  await handler.close();
  for (const { token } of Object.values(fixtures)) await waitUntilGone(token);
});

test("a line that is too long ends the server with a protocol error", async (t) => {
  const { send, token } = setUp(t, "oversized", { maxMessageBytes: 1024 ** 2 });
  const { error } = await failureOf(await send(call("any")));
  assert.equal(error?.data?.reason, "protocol");
  assert.match(error?.message ?? "", /a line of more than 1048576 bytes/);
  await waitUntilGone(token);
});

test("a message of more values than there is room for ends the server with a protocol error, at once", async (t) => {
  const { send, token } = setUp(t, "many-values");
  assert.equal((await failureOf(await send(call("many", { objects: 900_000 })))).error, undefined);
  const { error } = await failureOf(await send(call("many", { objects: 1_000_000 })));
  assert.equal(error?.data?.reason, "protocol");
  assert.match(error?.message ?? "", /a message that holds more than 1000000 objects and arrays/);
  await waitUntilGone(token);
});

test("an answer that takes long becomes an event stream with comments, and ends like any other", async (t) => {
  // Time for many more comments than are asked for: a busy machine leaves some of them out.
  const limits = { streamAfterMs: 30, keepAliveMs: 30, requestTimeoutMs: 1500 };
  const { send } = setUp(t, "silent-in-call", limits);
  const response = await send(call("any", {}, { id: 4 }));
  assert.equal(response.status, 200);
  const frames = await readAll(response);
  const comments = frames.filter(({ comment }) => comment !== undefined);
  assert.ok(comments.length >= 3, `${comments.length} comments`);
  const last = JSON.parse(frames.at(-1)?.data ?? "") as Failure;
  assert.deepEqual([last.id, last.error?.data?.reason], [4, "timeout"]);
});

test("a client that reads slowly makes the server wait, and loses nothing", async (t) => {
  let seen = 0;
  // Comments would be frames more.
  const { send } = setUp(t, "flood", { onMessage: () => (seen += 1), keepAliveMs: 3_600_000 });
  const total = 50_000;
  const events = readEvents(await send(call("any", { count: total })));
  let frames = (await events.next()).done ? 0 : 1;
  await until(
    quiet(() => seen),
    { withinMs: 5000, label: "the flood stops" },
  );
  assert.ok(seen < total / 10, `${seen} messages were read for a client that reads nothing`);
  for await (const _ of events) frames += 1;
  assert.equal(frames, total + 1);
});

test("a server that does not read its stdin cannot hold the request", async (t) => {
  const { send, token } = setUp(t, "ignores-stdin", { requestTimeoutMs: 300 });
  const { error } = await failureOf(await send(call("any", { filling: "x".repeat(3 * 1024 ** 2) })));
  assert.equal(error?.data?.reason, "timeout");
  await waitUntilGone(token, { withinMs: 3000 });
});

test("beyond the limit of processes requests wait, and beyond the queue they are refused", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const { send, token } = setUp(t, "slow", { maxProcesses: 1 });
  const [first, second] = [new AbortController(), new AbortController()];
  const running = send(call("wait", { file }), { signal: first.signal });
  await waitForLine(file, /^called/);
  const queued = send(call("wait", { file: `${file}2` }), { signal: second.signal });
  const refused = await until(() => send(call("wait")), { withinMs: 1000, label: "an answer" });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.equal((await failureOf(refused)).error?.data?.reason, "overloaded");
  assert.equal(processesWith(token).length, 1);
  first.abort();
  await running;
  await waitForLine(`${file}2`, /^called/);
  second.abort();
  await queued;
});

test("a client that goes away while it waits in the queue leaves the queue", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const { send, handler } = setUp(t, "slow", { maxProcesses: 1 });
  const [first, second] = [new AbortController(), new AbortController()];
  const running = send(call("wait", { file }), { signal: first.signal });
  await waitForLine(file, /^called/);
  const queued = send(call("wait"), { signal: second.signal });
  second.abort();
  assert.equal((await queued).status, 499);
  const third = send(call("wait", { file: `${file}3` }));
  first.abort();
  await running;
  await waitForLine(`${file}3`, /^called/);
  await handler.close();
  assert.equal((await failureOf(await third)).error?.data?.reason, "shutdown");
});

test("closing answers what runs, refuses what comes, and leaves no process", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const { send, handler, token } = setUp(t, "slow");
  const running = send(call("wait", { file }));
  await waitForLine(file, /^called/);
  await within(handler.close(), 2000, "the handler closes");
  assert.deepEqual(processesWith(token), []);
  assert.equal((await failureOf(await running)).error?.data?.reason, "shutdown");
  const late = await send(call("wait"));
  assert.equal(late.status, 503);
  assert.equal((await failureOf(late)).error?.data?.reason, "shutdown");
});

test("a request of 2026-07-28 that the end of the host cuts short is a 503 that says when there is another", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const { handler } = setUp(t, "slow", { streamAfterMs: 60_000 });
  const request = new Request("http://localhost/mcp", modernCall("wait", { file }));
  const running = within(handler.fetch(request), 10_000, "an answer");
  await waitForLine(file, /^called/);
  await within(handler.close(), 2000, "the handler closes");
  const { status, headers } = await running;
  assert.deepEqual([status, headers.get("retry-after")], [503, "5"]);
  assert.equal((await failureOf(await running)).error?.data?.reason, "shutdown");
});

test("the platform's deadline ends the request a second before the platform would", async (t) => {
  const { handler, token } = setUp(t, "silent-in-call");
  const request = new Request("http://localhost/mcp", post(call("any")));
  const context = { deadline: Date.now() + 1300 };
  const { error } = await failureOf(await within(handler.fetch(request, context), 1200, "an answer in time"));
  assert.equal(error?.data?.reason, "timeout");
  await waitUntilGone(token);
});

test("the platform is told to stay awake until the process is gone", async (t) => {
  const { handler, token } = setUp(t, "ignores-sigterm", { killGraceMs: 100 });
  const promises: Promise<unknown>[] = [];
  const request = new Request("http://localhost/mcp", post(call("any")));
  await handler.fetch(request, { waitUntil: (promise) => promises.push(promise) });
  assert.equal(processesWith(token).length, 1);
  assert.equal(promises.length, 1);
  await within(Promise.all(promises), 1000, "the end of the process");
  assert.deepEqual(processesWith(token), []);
});

test("an observer sees both sides, and cannot change the answer by failing", async (t) => {
  const seen: string[] = [];
  const onMessage: HandlerOptions["onMessage"] = (server, direction, text) => {
    seen.push(`${server} ${direction} ${(JSON.parse(text) as { method?: string }).method ?? "response"}`);
    throw new Error("the observer is broken");
  };
  const { send } = setUp(t, "counter", { onMessage });
  assert.equal((await send(call("count"))).status, 200);
  assert.deepEqual(seen, [
    "counter in initialize",
    "counter out response",
    "counter in notifications/initialized",
    "counter in tools/call",
    "counter out response",
  ]);
});

test("a process that left its group and holds stdout does not keep the client waiting", async (t) => {
  const { send, token } = setUp(t, "exits-leaving-daemon");
  t.after(() => processesWith(token).forEach(({ pid }) => process.kill(pid)));
  const { error } = await failureOf(await send(call("any")));
  assert.equal(error?.data?.reason, "exited");
  for (const { pid } of processesWith(token)) process.kill(pid);
});

test("a body that is never read does not keep the process, nor a timer", async (t) => {
  const { send, token } = setUp(t, "progress", { requestTimeoutMs: 1000 });
  const response = await send(call("progress", { steps: 1000, delayMs: 10 }, { meta: { progressToken: 1 } }));
  await waitUntilGone(token);
  const frames = await readAll(response);
  assert.match(frames.at(-1)?.data ?? "", /did not answer tools\/call within 1000 milliseconds/);
});

test("the log tells why a server failed, without what it must not tell", async (t) => {
  const lines: string[] = [];
  const write = (fields: object, message: string): void =>
    void lines.push(JSON.stringify({ ...fields, message }));
  const logger: Logger = { debug: write, info: write, warn: write, error: write };
  const { send, handler } = setUp(t, "crashes-at-start", { logger });
  await send(call("secret-tool", { password: "p4ssword" }));
  await handler.close();
  const log = lines.join("\n");
  assert.match(log, /exit code 3/);
  assert.match(log, /SECRET_TOKEN is \*\*\*/);
  assert.match(log, /"tool":"secret-tool"/);
  assert.doesNotMatch(log, /s3cret-value|p4ssword/);
});

test("a cancelled notification ends the request it means, and no other", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const { send, token, handler } = setUp(t, "slow");
  const session = async (): Promise<Record<string, string>> => {
    const id = (await send(initialize())).headers.get("mcp-session-id") ?? "";
    return { ...post("").headers, accept: "*/*", "mcp-session-id": id };
  };
  const [mine, other] = [await session(), await session()];
  const running = send(call("wait", { file }, { id: 7 }), { headers: mine });
  await waitForLine(file, /^called/);
  const cancel = async (headers: Record<string, string>, requestId: number | string): Promise<number> =>
    (await send(notification("notifications/cancelled", { requestId }), { headers })).status;
  assert.deepEqual([await cancel(other, 7), await cancel(mine, "7"), await cancel(mine, 8)], [202, 202, 202]);
  assert.equal(processesWith(token).length, 1);
  assert.equal(await cancel(mine, 7), 202);
  const response = await running;
  assert.deepEqual([response.status, await response.text()], [200, ""]);
  await waitForLine(file, /^cancelled 7/);
  await handler.close();
});
