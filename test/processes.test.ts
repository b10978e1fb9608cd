import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../lib/index.ts";
import type { HandlerOptions } from "../lib/index.ts";
import { createProcesses } from "../lib/processes.ts";
import { silentLogger } from "../lib/logger.ts";
import { createServers } from "../lib/servers.ts";
import { until, within } from "./support/deadline.ts";
import { temporaryFolder, waitForLine } from "./support/files.ts";
import { fixture } from "./support/fixture.ts";
import type { Fixture } from "./support/fixture.ts";
import { modernCall } from "./support/modern.ts";
import { processesWith, waitUntilGone } from "./support/processes.ts";
import { call, post } from "./support/rpc.ts";

const WAIT_MS = 20_000;

/** A server that notes each of its starts in a file. */
interface Noted {
  readonly fixture: Fixture;
  readonly folder: string;
  readonly starts: () => Promise<number>;
}

async function noted(t: TestContext): Promise<Noted> {
  const folder = await temporaryFolder(t);
  const file = join(folder, "starts");
  await writeFile(file, "");
  const starts = async (): Promise<number> => (await readFile(file, "utf8")).split("\n").length - 1;
  return { fixture: fixture("notes-its-start", file), folder, starts };
}

interface Caller extends Noted {
  /** Processes, also those that were ended before they could note anything. */
  readonly spawned: () => number;
  /** @param context of the platform, with a deadline; the signal is that of the request */
  readonly send: (
    tool: string,
    init?: { readonly signal?: AbortSignal; readonly deadline?: number; readonly key?: string },
  ) => Promise<Response>;
  readonly close: () => Promise<void>;
  /** Takes the only place, and gives it back when it is called. */
  readonly occupy: () => Promise<() => Promise<void>>;
}

/** A handler over it; when the test is over, it is closed and no process may be left. */
async function callerOf(t: TestContext, options: Partial<HandlerOptions> = {}): Promise<Caller> {
  const server = await noted(t);
  const { command, args, token } = server.fixture;
  const mcpServers = { noted: { command, args } };
  const handler = createHandler({ mcpServers, allowAnonymous: true, ...options });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
  });
  let spawned = 0;
  const send: Caller["send"] = (tool, { signal, deadline, key = "" } = {}) => {
    const init = post(call(tool), { accept: "application/json", authorization: `Bearer ${key}` });
    const request = new Request("http://localhost/mcp", { ...init, signal: signal ?? null });
    return within(
      handler.fetch(request, { deadline, waitUntil: () => (spawned += 1) }),
      WAIT_MS,
      `an answer to ${tool}`,
    );
  };
  const occupy = async (): Promise<() => Promise<void>> => {
    const [client, before] = [new AbortController(), await server.starts()];
    const running = send("wait", { signal: client.signal });
    const isStarted = async (): Promise<boolean> => (await server.starts()) > before;
    await until(isStarted, { withinMs: WAIT_MS, label: "the place is taken" });
    return async () => {
      client.abort();
      await running;
    };
  };
  return { ...server, spawned: () => spawned, send, close: () => handler.close(), occupy };
}

async function outcomeOf(answer: Promise<Response>): Promise<readonly unknown[]> {
  const response = await answer;
  const reason = /"reason":"(\w+)"/.exec(await response.text())?.[1];
  return [response.status, reason, response.headers.get("retry-after")];
}

/** What answers first, which is then no part of the set any more. */
async function firstOf(answers: Set<Promise<Response>>): Promise<readonly unknown[]> {
  const settled = [...answers].map(async (answer) => {
    await answer;
    // In an object, as a promise of a promise would be its value.
    return { answer };
  });
  const { answer } = await Promise.race(settled);
  answers.delete(answer);
  return outcomeOf(answer);
}

const ONE = { maxProcesses: 1 } as const;

describe("no process is started for a request", () => {
  test("whose client has gone before", async (t) => {
    const { send, spawned } = await callerOf(t);
    assert.deepEqual(await outcomeOf(send("ok", { signal: AbortSignal.abort() })), [499, undefined, null]);
    assert.equal(spawned(), 0);
  });

  for (const leftMs of [-5000, 0, 1000]) {
    test(`whose deadline leaves no time for an answer (${leftMs} milliseconds)`, async (t) => {
      const { send, spawned } = await callerOf(t);
      const late = send("ok", { deadline: Date.now() + leftMs });
      assert.deepEqual(await outcomeOf(late), [200, "timeout", null]);
      assert.equal(spawned(), 0);
    });
  }

  test("that the queue has no room for", async (t) => {
    const { send, spawned, occupy } = await callerOf(t, { ...ONE, maxQueued: 0 });
    await occupy();
    assert.deepEqual(await outcomeOf(send("ok")), [503, "overloaded", "1"]);
    assert.equal(spawned(), 1);
  });

  test("that has waited for too long", async (t) => {
    const { send, spawned, occupy, fixture: server } = await callerOf(t, { ...ONE, queueTimeoutMs: 500 });
    const free = await occupy();
    assert.deepEqual(await outcomeOf(send("ok")), [503, "overloaded", "1"]);
    await free();
    await waitUntilGone(server.token);
    assert.equal((await send("ok")).status, 200);
    assert.equal(spawned(), 2);
  });

  test("whose deadline comes while it waits", async (t) => {
    const { send, spawned, occupy } = await callerOf(t, ONE);
    const free = await occupy();
    assert.deepEqual(await outcomeOf(send("ok", { deadline: Date.now() + 1100 })), [200, "timeout", null]);
    await free();
    assert.equal((await send("ok")).status, 200);
    assert.equal(spawned(), 2);
  });

  test("whose client goes while it waits", async (t) => {
    const { send, spawned, occupy } = await callerOf(t, ONE);
    const [client, free] = [new AbortController(), await occupy()];
    const waiting = send("ok", { signal: client.signal });
    const next = send("ok");
    client.abort();
    assert.deepEqual(await outcomeOf(waiting), [499, undefined, null]);
    await free();
    assert.equal((await next).status, 200);
    assert.equal(spawned(), 2);
  });

  test("that still waits when the host closes", async (t) => {
    const { send, spawned, occupy, close } = await callerOf(t, ONE);
    const free = await occupy();
    const waiting = send("ok");
    await Promise.all([close(), free()]);
    assert.deepEqual(await outcomeOf(waiting), [503, "shutdown", "5"]);
    assert.deepEqual(await outcomeOf(send("ok")), [503, "shutdown", "5"]);
    assert.equal(spawned(), 1);
  });

  test("of a caller who has been pushed out of the queue by another", async (t) => {
    const keys = { authKeys: ["ann", "eve"], allowAnonymous: false };
    const { send, spawned } = await callerOf(t, { ...ONE, ...keys, maxQueued: 2 });
    const client = new AbortController();
    const running = send("wait", { key: "eve", signal: client.signal });
    await until(spawned, { withinMs: WAIT_MS, label: "the place is taken" });
    const waiting = new Set([1, 2, 3].map(() => send("ok", { key: "eve" })));
    // The queue is full when one of them is refused.
    assert.deepEqual(await firstOf(waiting), [503, "overloaded", "1"]);
    const other = send("ok", { key: "ann" });
    assert.deepEqual(await firstOf(waiting), [503, "overloaded", "1"]);
    client.abort();
    await running;
    assert.deepEqual([(await other).status, await firstOf(waiting)], [200, [200, undefined, null]]);
    assert.equal(spawned(), 3);
  });
});

test("a server with a limit of its own keeps nobody waiting who asks for another", async (t) => {
  const [narrow, wide] = [await noted(t), fixture("counter")];
  const { command, args, token } = narrow.fixture;
  const mcpServers = {
    narrow: { command, args, maxProcesses: 1 },
    wide: { command: wide.command, args: wide.args },
  };
  const handler = createHandler({
    mcpServers,
    allowAnonymous: true,
    maxProcesses: 4,
    queueTimeoutMs: WAIT_MS,
  });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
    await waitUntilGone(wide.token);
  });
  const ask = (name: string, tool: string, signal: AbortSignal | null = null): Promise<Response> =>
    within(
      handler.fetch(new Request(`http://localhost/mcp/${name}`, { ...post(call(tool)), signal })),
      WAIT_MS,
      `an answer of ${name}`,
    );
  const client = new AbortController();
  const running = ask("narrow", "wait", client.signal);
  await until(narrow.starts, { withinMs: WAIT_MS, label: "the narrow server has its process" });
  const waiting = [ask("narrow", "ok"), ask("narrow", "ok"), ask("narrow", "ok")];
  for (let times = 0; times < 5; times += 1) assert.equal((await ask("wide", "count")).status, 200);
  assert.equal(await narrow.starts(), 1);
  client.abort();
  await running;
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ status }) => status),
    [200, 200, 200],
  );
  assert.equal(await narrow.starts(), 4);
});

/** A place where a HOME is made for every process, as the server's own cannot be written. */
async function startIn(t: TestContext) {
  const { fixture: server, folder, starts } = await noted(t);
  const { command, args, token } = server;
  const servers = createServers({ mcpServers: { noted: { command, args, env: { HOME: "/dev/null" } } } }, {});
  const limits = { maxMessageBytes: 1024, killGraceMs: 100 };
  const processes = createProcesses({ ...ONE, ...limits, guard: false, logger: silentLogger });
  const before = process.env["TMPDIR"];
  t.after(async () => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    await processes.close();
    await waitUntilGone(token);
  });
  process.env["TMPDIR"] = folder;
  const start = (signal = new AbortController().signal) =>
    within(processes.start(servers.find("noted"), signal, "ann"), WAIT_MS, "a process, or none");
  const homes = async (): Promise<string[]> =>
    (await readdir(folder)).filter((name) => /^mayfly-(?!cache)/.test(name));
  const spawned = (): number => processesWith(token).length;
  return { start, starts, spawned, folder, homes };
}

describe("a place whose process is not started is free again", { skip: process.platform === "win32" }, () => {
  test("when the client goes while its HOME is made, which is removed", async (t) => {
    const { start, starts, spawned, homes } = await startIn(t);
    const client = new AbortController();
    const started = start(client.signal);
    client.abort(new Error("the client has gone"));
    await assert.rejects(started, /the client has gone/);
    assert.deepEqual([spawned(), await starts(), await homes()], [0, 0, []]);
    const own = await start();
    await until(starts, { withinMs: WAIT_MS, label: "a process starts" });
    own.end();
    await within(own.gone, WAIT_MS, "it ends");
    assert.deepEqual([await starts(), await homes()], [1, []]);
  });

  test("when its HOME cannot be made", async (t) => {
    const { start, starts, spawned, folder } = await startIn(t);
    await writeFile(join(folder, "file"), "");
    process.env["TMPDIR"] = join(folder, "file");
    await assert.rejects(start(), { code: "ENOTDIR" });
    assert.deepEqual([spawned(), await starts()], [0, 0]);
    process.env["TMPDIR"] = folder;
    const own = await start();
    await until(starts, { withinMs: WAIT_MS, label: "a process starts" });
    own.end();
    await within(own.gone, WAIT_MS, "it ends");
  });
});

test("the second process that a request needs takes the place of the first, however many wait", async (t) => {
  const { command, args, token } = fixture("legacy-exits-on-discover");
  const slow = fixture("slow");
  const file = join(await temporaryFolder(t), "log");
  const handler = createHandler({
    mcpServers: { legacy: { command, args }, slow: { command: slow.command, args: slow.args } },
    allowAnonymous: true,
    ...ONE,
    maxQueued: 1,
  });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
    await waitUntilGone(slow.token);
  });
  const send = (name: string, init: RequestInit): Promise<Response> =>
    within(handler.fetch(new Request(`http://localhost/mcp/${name}`, init)), WAIT_MS, `an answer of ${name}`);
  const client = new AbortController();
  const first = send("legacy", modernCall("echo"));
  const second = send("slow", { ...post(call("wait", { file })), signal: client.signal });
  const { status } = await first;
  assert.equal(status, 200);
  await waitForLine(file, /^called/, { withinMs: WAIT_MS });
  client.abort();
  await second;
});
