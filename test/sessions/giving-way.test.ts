import assert from "node:assert/strict";
import { test } from "node:test";

import { silentLogger } from "../../lib/logger.ts";
import { until, within } from "../support/deadline.ts";
import { call, initialize, post } from "../support/rpc.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import type { Served } from "../support/sessions.ts";
import { connectSse } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";
import type { StreamableClient } from "../support/streamable-client.ts";

const WAIT_MS = 20_000;
/** Two places for sessions. */
const FEW = { maxProcesses: 4, sessions: "independent" } as const;
/** Of which a tenth must pass before a session gives way: less than it takes to start a process, or more than a test. */
const [SOON, LATE] = [{ sessionIdleMs: 5000 }, { sessionIdleMs: 600_000 }];

/** The status with which another session is answered. */
async function statusOfAnother(
  { url }: Served,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const response = await within(fetch(`${url}/mcp`, post(initialize(), headers)), WAIT_MS, "another session");
  await response.body?.cancel();
  return response.status;
}

function letsIn(served: Served, headers?: Readonly<Record<string, string>>): Promise<boolean> {
  const isIn = async (): Promise<boolean> => (await statusOfAnother(served, headers)) === 200;
  return until(isIn, { withinMs: WAIT_MS, label: "a session gives way" });
}

async function isOver(client: StreamableClient): Promise<boolean> {
  const { status } = await client.post(call("count"));
  return status === 404;
}

test("where all places are taken, the session that is idle for longest gives way, and its process ends", async (t) => {
  const served = await serveSessions(t, "remembers", { ...FEW, ...SOON });
  const [first, second] = [await connectStreamable(t, served.url), await connectStreamable(t, served.url)];
  const [pid] = served.pids();
  assert.equal(textOf(await second.call("count")), "1");
  await letsIn(served);
  assert.deepEqual([await isOver(first), await isOver(second)], [true, false]);
  await until(() => !served.pids().includes(pid ?? 0), { withinMs: WAIT_MS, label: "its process ends" });
});

test("a session whose client may only be thinking does not give way", async (t) => {
  const served = await serveSessions(t, "remembers", { ...FEW, ...LATE });
  const clients = [await connectStreamable(t, served.url), await connectStreamable(t, served.url)];
  assert.equal(await statusOfAnother(served), 503);
  for (const client of clients) assert.equal(textOf(await client.call("count")), "1");
});

test("clients that listen, and those that wait for an answer, keep their places", async (t) => {
  const served = await serveSessions(t, "remembers", { ...FEW, ...SOON });
  const listening = await connectStreamable(t, served.url);
  await listening.listen();
  const waiting = await connectStreamable(t, served.url);
  const answer = await waiting.stream(call("hold", { key: "k" }, { id: "h" }));
  assert.equal(await statusOfAnother(served), 503);
  await waiting.call("release", { key: "k" });
  await answer.ended();
  await letsIn(served);
  assert.deepEqual([await isOver(waiting), await isOver(listening)], [true, false]);
});

test("an idle session gives way to a client of HTTP+SSE, which never does", async (t) => {
  const served = await serveSessions(t, "remembers", { ...FEW, ...SOON, sharedSession: false });
  const first = await connectSse(t, served.url);
  assert.equal(textOf(await first.call("count")), "1");
  const idle = await connectStreamable(t, served.url);
  const second = await connectSse(t, served.url);
  const answered = async (): Promise<boolean> => (await second.call("count")).error === undefined;
  await until(answered, { withinMs: WAIT_MS, label: "the idle session gives way" });
  assert.deepEqual([await isOver(idle), textOf(await first.call("count"))], [true, "2"]);
  assert.equal(await statusOfAnother(served), 503);
});

test("a caller's own session gives way before an older one of another caller", async (t) => {
  const [one, two] = [{ "x-api-key": "the key of one caller" }, { "x-api-key": "the key of another" }];
  const authKeys = [one["x-api-key"], two["x-api-key"]];
  const served = await serveSessions(t, "remembers", { ...FEW, ...SOON, authKeys });
  const other = await connectStreamable(t, served.url, { headers: one });
  const own = await connectStreamable(t, served.url, { headers: two });
  const startedAt = performance.now();
  const areOld = (): boolean => performance.now() > startedAt + SOON.sessionIdleMs / 10;
  await until(areOld, { withinMs: WAIT_MS, label: "both may give way" });
  assert.equal(await statusOfAnother(served, two), 200);
  assert.deepEqual([await isOver(own), await isOver(other)], [true, false]);
});

test("a shared process that another one follows needs no second place, also while it still works", async (t) => {
  const served = await serveSessions(t, "remembers", { maxProcesses: 2, sessions: "shared", ...LATE });
  const answer = fetch(`${served.url}/mcp`, post(call("hold", { key: "k" })));
  const isHeld = (): boolean => served.received.some(({ params }) => params?.["name"] === "hold");
  await until(isHeld, { withinMs: WAIT_MS, label: "the first process works" });
  const client = await connectStreamable(t, served.url, { capabilities: { roots: {} } });
  assert.equal(textOf(await client.call("count")), "1");
  assert.equal(served.pids().length, 2);
  await served.server.close(0);
  await (await within(answer, WAIT_MS, "the first call is answered")).text();
});

test("a shared process whose clients have all left gives way at once", async (t) => {
  const served = await serveSessions(t, "remembers", { ...FEW, ...LATE });
  const shared = await connectSse(t, served.url);
  assert.equal(textOf(await shared.call("count")), "1");
  const own = await connectStreamable(t, served.url);
  assert.equal(await statusOfAnother(served), 503);
  shared.close();
  await letsIn(served);
  assert.equal(await isOver(own), false);
});

test("a process whose start nobody waits for any more can give its place away", async (t) => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
  const served = await serveSessions(t, "remembers", { ...FEW, ...SOON, maxProcesses: 2, logger });
  const client = await connectStreamable(t, served.url);
  process.kill(served.pids()[0] ?? 0, "SIGKILL");
  await until(() => warnings.length > 0, { withinMs: WAIT_MS, label: "the process has ended" });
  const starts = served.starts();
  const leaving = new AbortController();
  const headers = { "mcp-session-id": client.id, accept: "application/json" };
  const asked = fetch(`${served.url}/mcp`, { ...post(call("count"), headers), signal: leaving.signal });
  await until(() => served.starts() > starts, { withinMs: WAIT_MS, label: "another process starts" });
  leaving.abort();
  await assert.rejects(asked);
  await letsIn(served);
  assert.equal(await isOver(client), true);
});

test("a session whose process has ended does not give way, as it has no place", async (t) => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
  const served = await serveSessions(t, "remembers", { ...FEW, ...SOON, logger });
  const first = await connectStreamable(t, served.url);
  const [pid = 0] = served.pids();
  const second = await connectStreamable(t, served.url);
  const startedAt = performance.now();
  const areOld = (): boolean => performance.now() > startedAt + SOON.sessionIdleMs / 10;
  await until(areOld, { withinMs: WAIT_MS, label: "both may give way" });
  process.kill(pid, "SIGKILL");
  await until(() => warnings.length > 0, { withinMs: WAIT_MS, label: "the first process has ended" });
  await until(async () => (await statusOfAnother(served)) === 200, { withinMs: WAIT_MS, label: "another" });
  await letsIn(served);
  assert.deepEqual([await isOver(second), await isOver(first)], [true, false]);
});
