import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { after, describe, test } from "node:test";

import * as fc from "fast-check";

import { MayflyError } from "../lib/errors.ts";
import { FREE_LINE_BYTES, createLineMemory, defaultMaxBufferedBytes } from "../lib/line-memory.ts";
import type { LineShare } from "../lib/line-memory.ts";
import { startServing } from "./support/command.ts";
import { until, within } from "./support/deadline.ts";
import { bigText, fixture } from "./support/fixture.ts";
import { readAll } from "./support/event-stream.ts";
import { modernCall, observe } from "./support/modern.ts";
import { isAlive } from "./support/processes.ts";
import { call, post } from "./support/rpc.ts";
import { eventually } from "./support/texts.ts";

const KIB = 1024;
/** Ends what still waits when the tests are over. */
const over = new AbortController();
setMaxListeners(0, over.signal);
const NEVER = over.signal;
after(() => over.abort());
const WAIT_MS = 10_000;

function need(share: LineShare, kib: number, signal = NEVER): "there is room" | Promise<void> {
  return share.need(kib * KIB, signal) ?? "there is room";
}

/** Whether it is still waited for, when everything that is ready has run. */
async function isPending(promise: unknown): Promise<boolean> {
  const turn = new Promise<string>((resolve) => setImmediate(resolve, "pending"));
  return (await Promise.race([promise, turn])) === "pending";
}

describe("long lines", () => {
  test("find room until all of it is taken, and then wait until a line has been passed on", async () => {
    const memory = createLineMemory(1000 * KIB, 500 * KIB);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    assert.equal(need(first, 500), "there is room");
    assert.equal(need(second, 500), "there is room");
    const waiting = need(third, 300);
    assert.ok(await isPending(waiting));
    second.release();
    await within(Promise.resolve(waiting), WAIT_MS, "the third line finds room");
    assert.ok(await isPending(need(second, 300)));
  });

  test("that begin later leave what the first one may still need", async () => {
    const memory = createLineMemory(1000 * KIB, 800 * KIB);
    const [first, second] = [memory.open(), memory.open()];
    assert.equal(need(first, 300), "there is room");
    const waiting = need(second, 300);
    assert.ok(await isPending(waiting));
    assert.equal(need(first, 600), "there is room");
    assert.equal(need(first, 800), "there is room");
    first.release();
    await within(Promise.resolve(waiting), WAIT_MS, "the second line finds room");
  });

  test("wait in the order of their coming", async () => {
    const memory = createLineMemory(600 * KIB, 600 * KIB);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    assert.equal(need(first, 600), "there is room");
    const waiting = [need(second, 600), need(third, 300)];
    first.release();
    await within(Promise.resolve(waiting[0]), WAIT_MS, "the second line finds room");
    assert.ok(await isPending(waiting[1]));
  });

  test("that are not so long take nothing", () => {
    const memory = createLineMemory(300 * KIB, 300 * KIB);
    assert.equal(need(memory.open(), 300), "there is room");
    for (let more = 0; more < 100; more++) {
      assert.equal(memory.open().need(FREE_LINE_BYTES, NEVER), undefined);
    }
  });

  test("that wait too long are refused with the limit, and leave their place in the queue", async () => {
    const memory = createLineMemory(300 * KIB, 300 * KIB, 20);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    assert.equal(need(first, 300), "there is room");
    const refused = assert.rejects(Promise.resolve(need(second, 300)), (error) => {
      assert.ok(error instanceof MayflyError);
      assert.deepEqual([error.code, error.status, error.reason], ["MESSAGES_TOO_LARGE", 503, "overloaded"]);
      assert.match(error.message, /more than 307200 bytes/);
      return true;
    });
    await within(refused, WAIT_MS, "the refusal");
    first.release();
    assert.equal(need(third, 300), "there is room");
  });

  test("of a request that is over wait no longer, and take nothing", async () => {
    const memory = createLineMemory(300 * KIB, 300 * KIB);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    const leaving = new AbortController();
    assert.equal(need(first, 300), "there is room");
    const waiting = need(second, 300, leaving.signal);
    leaving.abort();
    await within(Promise.resolve(waiting), WAIT_MS, "the end of the wait");
    first.release();
    assert.equal(need(third, 300), "there is room");
    assert.equal(need(second, 300, leaving.signal), "there is room");
    third.release();
    assert.equal(need(first, 300), "there is room");
  });

  test("of a process that nobody reads any more give their room back for good", () => {
    const memory = createLineMemory(300 * KIB, 300 * KIB);
    const [first, second] = [memory.open(), memory.open()];
    assert.equal(need(first, 300), "there is room");
    first.close();
    assert.equal(need(first, 300), "there is room");
    assert.equal(need(second, 300), "there is room");
  });

  test("of such a process wait no longer, and take nothing", async () => {
    const memory = createLineMemory(300 * KIB, 300 * KIB);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    assert.equal(need(first, 300), "there is room");
    const waiting = need(second, 300);
    second.close();
    await within(Promise.resolve(waiting), WAIT_MS, "the end of the wait");
    first.release();
    assert.equal(need(third, 300), "there is room");
  });

  test("never wait in a circle and never take more than there is, however they grow", async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 6 });
    await eventually(
      fc.tuple(fc.array(sizes, { maxLength: 12 }), fc.integer({ min: 16, max: 48 })),
      async ([lines, limit]) => {
        const unit = 512 * KIB;
        const memory = createLineMemory(limit * unit, 16 * unit, WAIT_MS);
        let used = 0;
        const grow = async (parts: readonly number[]): Promise<void> => {
          const share = memory.open();
          let taken = 0;
          for (const part of parts) {
            const next = Math.min(16, taken + part);
            await share.need(next * unit, NEVER);
            used += next - taken;
            taken = next;
            assert.ok(used <= limit, `${used} of ${limit}`);
            await Promise.resolve();
          }
          used -= taken;
          share.release();
        };
        await within(Promise.all(lines.map(grow)), WAIT_MS, "every line comes to its end");
        assert.equal(used, 0);
      },
    );
  });
});

test("a text with characters beyond ASCII needs twice the room, and is refused where that is more than there is", async (t) => {
  const options = { maxBufferedBytes: 4 * 1024 ** 2 };
  const { ask } = observe(t, "verbatim", options);
  const answer = (text: string): RequestInit => {
    const line = `{"jsonrpc":"2.0","id":"@id","result":{"content":[{"type":"text","text":"${text}"}]}}`;
    return post(call("any", { line }));
  };
  const plain = "x".repeat(2.5 * 1024 ** 2);
  assert.ok((await ask(answer(plain))).result);
  const { error } = await ask(answer(`${plain}\u2028`));
  assert.equal(error?.data?.["reason"], "protocol");
  assert.match(error?.message ?? "", /a line of more than 2097152 bytes/);
  assert.ok((await ask(answer(`${plain.slice(0, 1_900_000)}\u2028`))).result);
});

test("a message is never longer than what all of them together may have", async (t) => {
  const { ask } = observe(t, "big", { maxBufferedBytes: 1024 ** 2, maxMessageBytes: 2 * 1024 ** 2 });
  const { error } = await ask(post(call("big", { bytes: 1.5 * 1024 ** 2 })));
  assert.match(error?.message ?? "", /a line of more than 1048576 bytes/);
  assert.ok((await ask(post(call("big", { bytes: 900_000 })))).result);
});

test("a seventh of the heap may be taken, where nothing else is said", () => {
  assert.ok(defaultMaxBufferedBytes() > 1024 ** 2 && defaultMaxBufferedBytes() < 8 * 1024 ** 3);
});

test("a host with a small heap survives more big answers than it has room for: each comes whole or is refused", async (t) => {
  const { command, args, token } = fixture("big");
  const env = { NODE_OPTIONS: "--max-old-space-size=96" };
  const words = ["--max-processes", "12", "--", command, ...args];
  const { url, pid } = await startServing(t, words, { env, token });
  const [whole, bytes] = [bigText(20 * 1024 ** 2), 20 * 1024 ** 2];
  const ask = async (isModern: boolean): Promise<"whole" | "refused"> => {
    // The answer to a modern client is translated, which takes more room.
    const init = isModern ? modernCall("big", { bytes }) : post(call("big", { bytes }));
    const response = await fetch(`${url}/mcp`, init);
    const isStream = response.headers.get("content-type") === "text/event-stream";
    const text = isStream ? ((await readAll(response)).at(-1)?.data ?? "") : await response.text();
    const { result, error } = JSON.parse(text);
    if (error?.data?.reason === "overloaded") return "refused";
    assert.ok(result?.content[0].text === whole, `neither whole nor refused: ${text.slice(0, 300)}`);
    return "whole";
  };
  const all = Promise.all(Array.from({ length: 12 }, (_, index) => ask(index % 2 === 0)));
  const outcomes = await within(all, 120_000, "all answers");
  assert.ok(outcomes.includes("whole"), "none was answered");
  await until(() => isAlive(pid), { withinMs: WAIT_MS, label: "the host is alive" });
  assert.equal(await ask(false), "whole");
});
