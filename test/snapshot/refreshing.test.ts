import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import type { HandlerOptions } from "../../lib/index.ts";
import { until } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { modern } from "../support/modern.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post, request } from "../support/rpc.ts";
import { build, counted } from "./recorded.ts";
import type { Built, Counted } from "./recorded.ts";

const WAIT_MS = 20_000;
const LIST = post(request("tools/list"));
const AGAIN = "The snapshot has been recorded anew";
const FAILED = "The snapshot could not be recorded anew";

/** A server whose only tool is called as its file says, and the messages that the handler logs. */
interface Bench extends Counted {
  readonly built: Built;
  readonly rename: (tool: string) => Promise<void>;
  readonly listed: () => Promise<string>;
  /** The next message of the log, of those that matter here. */
  readonly logged: (message: string, count?: number) => Promise<unknown>;
}

async function bench(t: TestContext, options: Partial<HandlerOptions>, hasFile = true): Promise<Bench> {
  const file = join(await temporaryFolder(t), "tool");
  const program = join(import.meta.dirname, "../fixtures/servers/lists-what-a-file-says.mjs");
  const rename = async (tool: string): Promise<void> => writeFile(file, tool);
  await rename("first");
  const built = await build(t, (token) => ({
    command: process.execPath,
    args: [program, `--token=${token}`, `--file=${file}`],
  }));
  if (!hasFile) await rm(built.file);
  const messages: string[] = [];
  const note = (_fields: object, message: string): void => void messages.push(message);
  const logger = { debug: note, info: note, warn: note, error: note };
  const handler = counted(t, built, { ...options, logger });
  await readBefore(handler);
  return {
    ...handler,
    built,
    rename,
    listed: async () => toolIn(await handler.post(LIST)),
    logged: async (message, count = 1) =>
      until(() => messages.filter((one) => one === message).length >= count, {
        withinMs: WAIT_MS,
        label: () => `${message}, among ${messages.join("; ")}`,
      }),
  };
}

/** It is as old as its reading, at the first request for the server, whatever that asks. */
async function readBefore({ post: send }: Counted): Promise<void> {
  await (await send(post(request("ping")))).text();
  const since = performance.now();
  await until(() => performance.now() - since > 1, { withinMs: WAIT_MS, label: "it is older than 1 ms" });
}

async function toolIn(response: Response): Promise<string> {
  const { result } = (await response.json()) as { result: { tools: { name: string }[] } };
  return result.tools.map(({ name }) => name).join();
}

describe("a snapshot that is older than its time to live", () => {
  test("answers once more, and is recorded anew in the background", async (t) => {
    const { rename, listed, logged, started, built } = await bench(t, { snapshotTtlMs: 1 });
    await rename("second");
    assert.equal(await listed(), "first");
    await logged(AGAIN);
    assert.equal(await listed(), "second");
    assert.equal(started(), 0, "no request has waited for a process");
    assert.match(await readFile(built.file, "utf8"), /first/, "the file stays as it was built");
  });

  test("is not recorded anew before", async (t) => {
    const { rename, listed, built } = await bench(t, { snapshotTtlMs: 600_000 });
    await rename("second");
    assert.deepEqual([await listed(), await listed()], ["first", "first"]);
    assert.deepEqual(processesWith(built.token), []);
  });

  test("stays when it cannot be recorded anew", async (t) => {
    const { rename, listed, logged } = await bench(t, { snapshotTtlMs: 1 });
    await rename("");
    assert.equal(await listed(), "first");
    await logged(FAILED);
    assert.equal(await listed(), "first");
  });

  test("is recorded once at a time, by one process at a time, however many ask", async (t) => {
    const { post: send, logged, built } = await bench(t, { snapshotTtlMs: 1, maxProcesses: 8 });
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, processesWith(built.token).length)), 5);
    t.after(() => clearInterval(look));
    await Promise.all(Array.from({ length: 20 }, async () => (await send(LIST)).text()));
    await logged(AGAIN);
    // The one before may still be ending when the next one starts.
    assert.ok(most >= 1 && most <= 2, String(most));
  });
});

describe("without a snapshot, a time to live", () => {
  test("makes one after the first request that it could answer", async (t) => {
    const { post: send, listed, logged, started, built } = await bench(t, { snapshotTtlMs: 600_000 }, false);
    await (await send(post(call("first")))).text();
    await waitUntilGone(built.token, { label: "a call makes none" });
    assert.equal(started(), 1);
    assert.equal(await listed(), "first");
    assert.equal(started(), 1);
    await logged(AGAIN);
    assert.equal(await listed(), "first");
    assert.equal(await toolIn(await send(modern("tools/list"))), "first");
    assert.equal(started(), 0);
  });

  test("of 0 makes none", async (t) => {
    const { listed, started, built } = await bench(t, {}, false);
    assert.deepEqual([await listed(), await listed(), started()], ["first", "first", 2]);
    await waitUntilGone(built.token);
  });

  test("ends what it records when the handler is drained", async (t) => {
    const { listed, handler, rename, built } = await bench(t, { snapshotTtlMs: 1 });
    await rename("silent");
    await listed();
    await until(() => processesWith(built.token).length > 0, { withinMs: WAIT_MS, label: "it is recorded" });
    handler.drain();
    await waitUntilGone(built.token, { label: "the recording ends" });
  });
});
