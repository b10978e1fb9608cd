import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";

import { createHandler } from "../lib/index.ts";
import { keepTail } from "../lib/tail.ts";
import { within } from "./support/deadline.ts";
import { fixture } from "./support/fixture.ts";
import { waitUntilGone } from "./support/processes.ts";
import { call, post } from "./support/rpc.ts";

const KEPT = 8192;

async function tailOf(...chunks: readonly string[]): Promise<string> {
  const stream = new PassThrough();
  const tail = keepTail(stream);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await once(stream, "end");
  return tail();
}

describe("the tail of a stream", () => {
  const rows: readonly (readonly [what: string, chunks: readonly string[], tail: string])[] = [
    ["is empty for an empty stream", [], ""],
    ["is all of a short one, without space around it", ["\n a", " b\n", "\n"], "a b"],
    ["is the last 8 KiB of one long chunk", ["a".repeat(KEPT) + "b".repeat(KEPT)], "b".repeat(KEPT)],
    ["begins with a whole line", ["a secr", "et\n", "b".repeat(KEPT - 3)], "b".repeat(KEPT - 3)],
    ["is the last 8 KiB of many chunks", ["x".repeat(KEPT), "y", "z"], `${"x".repeat(KEPT - 2)}yz`],
  ];
  for (const [what, chunks, tail] of rows) {
    test(what, async () => assert.equal(await tailOf(...chunks), tail));
  }

  test("can be read while the stream runs", async () => {
    const stream = new PassThrough();
    const tail = keepTail(stream);
    const first = once(stream, "data");
    stream.write("one");
    await first;
    assert.equal(tail(), "one");
    const second = once(stream, "data");
    stream.write(" two");
    await second;
    assert.equal(tail(), "one two");
  });

  test("does not fail on a character that the cut has halved", async () => {
    assert.equal(await tailOf(`é${"x".repeat(KEPT - 1)}`), `\uFFFD${"x".repeat(KEPT - 1)}`);
  });
});

const MIB = 1024 ** 2;

/** The most memory that this process has meanwhile, above what it has now. Bytes. */
async function growthDuring(work: Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 5);
  await work.finally(() => clearInterval(timer));
  return most - before;
}

test("a server that floods its stderr costs little memory, and others are served meanwhile", async (t) => {
  const [noisy, quiet] = [fixture("floods-stderr"), fixture("counter")];
  const mcpServers = {
    noisy: { command: noisy.command, args: noisy.args },
    quiet: { command: quiet.command, args: quiet.args },
  };
  const handler = createHandler({ mcpServers, allowAnonymous: true });
  t.after(async () => {
    await handler.close();
    await waitUntilGone(noisy.token);
    await waitUntilGone(quiet.token);
  });
  const ask = async (name: string, body: object): Promise<string> => {
    const answer = handler.fetch(new Request(`http://localhost/mcp/${name}`, post(body)));
    return (await within(answer, 60_000, `an answer of ${name}`)).text();
  };
  const count = (): Promise<string> => ask("quiet", call("count"));
  await count();
  const over = new AbortController();
  const flood = ask("noisy", call("noise", { bytes: 400 * MIB })).finally(() => over.abort());
  const growth = growthDuring(flood);
  const times: number[] = [];
  while (!over.signal.aborted) {
    const startedAt = performance.now();
    assert.match(await count(), /"text":"1"/);
    times.push(Math.round(performance.now() - startedAt));
  }
  t.diagnostic(`${Math.round((await growth) / MIB)} MiB more; milliseconds of calls: ${times.join(", ")}`);
  assert.match(await flood, /"text":"done"/);
  assert.ok((await growth) < 128 * MIB, `${await growth} bytes more`);
  assert.ok(times.length >= 5, "calls are answered while it writes");
});
