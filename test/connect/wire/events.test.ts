import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";

import { assert as assertProperty, array, asyncProperty, constantFrom, nat } from "fast-check";

import { readEvents } from "../../../lib/connect/wire/events.ts";
import type { StreamEvent } from "../../../lib/connect/wire/events.ts";
import { LineTooLong } from "../../../lib/lines.ts";
import { effortOf } from "../../support/effort.ts";

const NEVER = new AbortController().signal;
const LIMIT = 1024 * 1024;

async function eventsOf(pieces: Iterable<string | Buffer>, limit = LIMIT): Promise<StreamEvent[]> {
  const body = Readable.from(
    [...pieces].map((piece) => Buffer.from(piece)),
    { objectMode: false },
  );
  const events: StreamEvent[] = [];
  for await (const event of readEvents(body, limit, NEVER)) events.push(event);
  return events;
}

/** Each byte on its own. */
function* byBytes(text: string): Generator<Buffer> {
  for (const byte of Buffer.from(text)) yield Buffer.from([byte]);
}

const plain = { type: "message", id: undefined, retryMs: undefined };

test("an event of many lines has them all", async () => {
  for (const count of [2, 99, 100, 101, 200, 12_345]) {
    const lines = Array.from({ length: count }, (_, index) => (index % 3 === 0 ? "" : String(index)));
    const text = lines.map((line) => `data:${line}\n`).join("");
    // The second one has nothing left of the first.
    const [first, second] = await eventsOf([text, "\n", "data:x\n\n"]);
    deepEqual([first?.data, second?.data], [lines.join("\n"), "x"]);
  }
});

for (const [name, end] of Object.entries({ LF: "\n", CR: "\r", CRLF: "\r\n" })) {
  test(`lines may end with ${name}, wherever the stream is cut`, async () => {
    const text =
      ["event: endpoint", "data: /messages", "", "data:a", "data: b", "data", "", ": hi", ""].join(end) + end;
    const expected = [
      { ...plain, type: "endpoint", data: "/messages" },
      { ...plain, data: "a\nb\n" },
    ];
    deepEqual(await eventsOf([text]), expected);
    deepEqual(await eventsOf(byBytes(text)), expected);
  });
}

test("an event that ends with CR does not wait for what comes next", async () => {
  const body = new Readable({ read() {} });
  const events = readEvents(body, LIMIT, NEVER);
  body.push("data: one\r\r");
  equal((await events.next()).value?.data, "one");
  body.push("\ndata: two\r\r");
  equal((await events.next()).value?.data, "two");
  body.destroy();
  equal((await events.next()).done, true);
});

test("one space behind the colon is no part of a value, a byte order mark is no part of the first line", async () => {
  deepEqual(await eventsOf(["\uFEFFdata:  é \n\n"]), [{ ...plain, data: " é " }]);
  deepEqual(await eventsOf(byBytes("\uFEFFdata: 日本\n\n")), [{ ...plain, data: "日本" }]);
});

test("ids stay, empty ones reset them, those with NUL are none", async () => {
  const events = await eventsOf([
    "id: 1\ndata: a\n\n",
    "data: b\n\n",
    "id: x\0\ndata: c\n\n",
    "id\ndata: d\n\n",
  ]);
  deepEqual(
    events.map(({ data, id }) => [data, id]),
    [
      ["a", "1"],
      ["b", "1"],
      ["c", "1"],
      ["d", ""],
    ],
  );
});

test("an event that only sets an id, or when to come back, is told without data", async () => {
  deepEqual(
    await eventsOf(["id: 7\ndata:\n\n", "retry: 1500\n\n", "retry: soon\n\n", "event: x\n\n", "data: a\n\n"]),
    [
      { ...plain, id: "7", data: "" },
      { ...plain, id: "7", retryMs: 1500, data: "" },
      { ...plain, id: "7", retryMs: 1500, data: "a" },
    ],
  );
});

test("an event that is not finished at the end is none", async () => {
  deepEqual(await eventsOf(["data: a\n\ndata: b\n"]), [{ ...plain, data: "a" }]);
  deepEqual(await eventsOf(["data: a\n\ndata: b"]), [{ ...plain, data: "a" }]);
});

test("what is no field is left out", async () => {
  deepEqual(await eventsOf(["constructor: x\n__proto__: y\ntoString\nDATA: z\ndata: a\n\n"]), [
    { ...plain, data: "a" },
  ]);
});

test("a line, or an event of many lines, that is too long ends the reading", async () => {
  await rejects(eventsOf([`data: ${"x".repeat(100)}\n\n`], 50), LineTooLong);
  await rejects(eventsOf([`data: ${"x".repeat(20)}\n`.repeat(10)], 50), LineTooLong);
  await rejects(eventsOf(["data\n".repeat(100)], 50), LineTooLong);
  await rejects(eventsOf([`: ${"x".repeat(100)}`], 50), LineTooLong);
  equal((await eventsOf([`data: ${"x".repeat(20)}\n\n`.repeat(10)], 50)).length, 10);
  equal((await eventsOf([`data: ${"x".repeat(44)}\n\n`], 50)).length, 1);
});

test("a data line of 20 MiB takes a time in proportion to it", async () => {
  const line = Array.from({ length: 20 * 64 }, () => Buffer.alloc(16 * 1024, "x"));
  const effort = await effortOf(async () => {
    const [event] = await eventsOf(["data: ", ...line, "\n\n"], 64 * LIMIT);
    equal(event?.data.length, 20 * LIMIT);
  });
  ok(effort < 3000, `${effort} ms`);
});

test("a chunk of many short lines is searched through once", async () => {
  // For each line it would be some 10^11 bytes.
  const effort = await effortOf(async () =>
    equal((await eventsOf([":\n".repeat(300_000), "data: x\n\n"])).length, 1),
  );
  ok(effort < 4000, `${effort} ms`);
});

test("a signal ends the reading", async () => {
  const body = new Readable({ read() {} });
  const leaving = new AbortController();
  const events = readEvents(body, LIMIT, leaving.signal);
  body.push("data: one\n\ndata: two\n\n");
  equal((await events.next()).value?.data, "one");
  leaving.abort();
  equal((await events.next()).done, true);
});

/** The same by the letter of the standard, for a text that is there as a whole. */
function byTheLetter(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  let [type, data, isChanged] = ["", "", false];
  let [id, retryMs] = [undefined as string | undefined, undefined as number | undefined];
  for (const line of text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .slice(0, -1)) {
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "data") data += `${value}\n`;
    if (name === "event") type = value;
    if (name === "id" && !value.includes("\0")) [id, isChanged] = [value, true];
    if (name === "retry" && /^[0-9]+$/.test(value)) [retryMs, isChanged] = [Number(value), true];
    if (line !== "") continue;
    const said = data.replace(/\n$/, "");
    if (said !== "" || isChanged) events.push({ type: type || "message", data: said, id, retryMs });
    [type, data, isChanged] = ["", "", false];
  }
  return events;
}

const PIECES = [
  "\n",
  "\r",
  "\r\n",
  "\n\n",
  "data",
  "data:",
  ":",
  " ",
  "id",
  "id: 7",
  "event: x",
  "retry: 10",
  "é",
  "日",
  "\0",
  "\uFEFF",
  "x",
];

test("any stream, cut anywhere, is read by the letter of the standard", async () => {
  const texts = array(constantFrom(...PIECES), { maxLength: 40 });
  const cuts = array(nat(80), { maxLength: 10 });
  const property = asyncProperty(texts, cuts, async (pieces, places) => {
    const bytes = Buffer.from(pieces.join(""));
    const ends = [...places.filter((place) => place < bytes.length), bytes.length].toSorted((a, b) => a - b);
    const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
    deepEqual(await eventsOf(chunks.filter((chunk) => chunk.length > 0)), byTheLetter(pieces.join("")));
  });
  await assertProperty(property, { numRuns: 500 });
});
