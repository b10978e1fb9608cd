import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { describe, test } from "node:test";

import { readMessages } from "../../../lib/connect/stdio/input.ts";
import { silentLogger } from "../../../lib/logger.ts";
import { within } from "../../support/deadline.ts";

interface Read {
  readonly messages: readonly string[];
  readonly refusals: readonly string[];
}

async function read(chunks: readonly string[], maxLineBytes = 1024): Promise<Read> {
  const input = Readable.from(
    chunks.map((chunk) => Buffer.from(chunk)),
    { objectMode: false },
  );
  const [messages, refusals]: [string[], string[]] = [[], []];
  const reading = readMessages(input, {
    maxLineBytes,
    signal: new AbortController().signal,
    logger: silentLogger,
    refuse: async (text) => void refusals.push(text),
  });
  for await (const { text } of reading) messages.push(text);
  return { messages, refusals };
}

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

describe("what a client writes", () => {
  test("comes out as it was written, whatever is in it", async () => {
    const odd = '{"jsonrpc":"2.0", "id":12345678901234567890,"method":"x","zz":1.0,"params":{"é":[ ]}}';
    assert.deepEqual((await read([`${odd}\n`, `${PING}\n`])).messages, [odd, PING]);
  });

  test("may end its lines as Windows does, have empty ones, and begin with a byte order mark", async () => {
    const { messages, refusals } = await read([`\uFEFF${PING}\r\n\r\n  \n${PING}\r\n`]);
    assert.deepEqual(messages, [PING, PING]);
    assert.deepEqual(refusals, []);
  });

  test("may be a batch, which is so many messages", async () => {
    assert.deepEqual((await read([`[${PING}, ${PING}]\n`])).messages, [PING, PING]);
  });
});

describe("a line that is no message", () => {
  const rows: readonly (readonly [what: string, line: string, code: number, id?: unknown])[] = [
    ["is not JSON", "hello", -32700],
    ["is JSON, but neither object nor array", "42", -32600],
    ["is an empty batch", "[]", -32600],
    ["has no version", '{"id":7,"method":"ping"}', -32600, 7],
    ["has an id that is none", '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ["is an answer without a result", '{"jsonrpc":"2.0","id":7}', -32600],
    ["has such a message in a batch", `[${PING},{"id":8,"method":"x"}]`, -32600, 8],
  ];
  for (const [what, line, code, id] of rows) {
    test(`because it ${what} is answered, and what follows is read`, async () => {
      const { messages, refusals } = await read([`${line}\n${PING}\n`]);
      assert.equal(messages.at(-1), PING);
      const [refusal] = refusals.map((text) => JSON.parse(text) as { id?: unknown; error: { code: number } });
      assert.equal(refusals.length, 1);
      assert.equal(refusal?.error.code, code);
      assert.equal(refusal.id, id);
      assert.equal("id" in refusal, id !== undefined);
    });
  }

  test("because it is too long is answered, and what follows is read", async () => {
    const { messages, refusals } = await read(["x".repeat(60), "x".repeat(60), `\n${PING}\n`], 100);
    assert.deepEqual(messages, [PING]);
    assert.match(refusals.join(), /longer than 100 bytes/);
  });

  test("because it holds millions of objects is answered, and never read", async () => {
    const line = `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[${"{},".repeat(1_000_001)}{}]}}`;
    const { messages, refusals } = await read([`${line}\n${PING}\n`], 10_000_000);
    assert.deepEqual(messages, [PING]);
    assert.match(refusals.join(), /more than 1000000 objects/);
  });
});

test("nothing more is read while nobody asks for the next message", async () => {
  const input = new PassThrough({ highWaterMark: 100 });
  const reading = readMessages(input, {
    maxLineBytes: 1024,
    signal: new AbortController().signal,
    logger: silentLogger,
    refuse: async () => undefined,
  });
  input.write(`${PING}\n`);
  await within(reading.next(), 1000, "a message");
  let isFull = false;
  for (let lines = 0; lines < 100 && !isFull; lines += 1) isFull = !input.write(`${PING}\n`);
  assert.ok(isFull);
  await reading.return();
});
