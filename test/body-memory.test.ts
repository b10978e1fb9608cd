import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { readBody } from "../lib/body.ts";
import { FREE_BODY_BYTES, createBodyMemory, defaultBodyMemory } from "../lib/body-memory.ts";
import { within } from "./support/deadline.ts";

const MIB = 1024 ** 2;
const LIMITS = { maxBodyBytes: 4 * MIB, bodyTimeoutMs: 60_000 };
const REFUSED = {
  code: "BODIES_TOO_LARGE",
  status: 503,
  reason: "overloaded",
  headers: { "Retry-After": "1" },
};

/** A POST whose body comes piece by piece. */
function slowPost() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const headers = new Headers({ "content-type": "application/json" });
  const request = { method: "POST", url: "http://localhost/mcp", headers, body: readable };
  return { request, writer };
}

describe("bodies of all requests together", () => {
  test("find room up to the limit, and again when one has been read, or its sender has gone", async () => {
    const memory = createBodyMemory(2 * MIB);
    const [first, second] = [slowPost(), slowPost()];
    const reading = readBody(first.request, LIMITS, memory.open("ann"));
    await first.writer.write(Buffer.alloc(2 * MIB + FREE_BODY_BYTES - 1, " "));
    const refused = readBody(second.request, LIMITS, memory.open("ann"));
    void second.writer.write(Buffer.alloc(FREE_BODY_BYTES + 2)).catch(() => undefined);
    await assert.rejects(within(refused, 5000, "the second body is refused"), REFUSED);
    await first.writer.write(Buffer.from("1"));
    await first.writer.close();
    assert.equal((await within(reading, 5000, "the first body is read")).text.trim(), "1");

    const third = slowPost();
    const broken = readBody(third.request, LIMITS, memory.open("ann"));
    await third.writer.write(Buffer.alloc(2 * MIB));
    await third.writer.abort(new Error("gone"));
    await assert.rejects(within(broken, 5000, "the third body breaks off"));
    memory.open("ann").need(2 * MIB + FREE_BODY_BYTES);
  });

  test("are not counted as long as they are small", () => {
    const memory = createBodyMemory(MIB);
    memory.open("ann").need(MIB + FREE_BODY_BYTES);
    for (let more = 0; more < 100; more += 1) memory.open("ann").need(FREE_BODY_BYTES);
    assert.throws(() => memory.open("ann").need(FREE_BODY_BYTES + 1), REFUSED);
  });

  test("of one caller leave room for those of another, where there are several", () => {
    const memory = createBodyMemory(16 * MIB, true);
    const large = FREE_BODY_BYTES + 4 * MIB;
    for (let body = 0; body < 3; body += 1) memory.open("eve").need(large);
    assert.throws(() => memory.open("eve").need(FREE_BODY_BYTES + 1), REFUSED);
    memory.open("ann").need(FREE_BODY_BYTES + 3 * MIB);
  });

  test("give their room back once", () => {
    const memory = createBodyMemory(MIB);
    const [first, second] = [memory.open("ann"), memory.open("ann")];
    first.need(FREE_BODY_BYTES + MIB / 2);
    second.need(FREE_BODY_BYTES + MIB / 2);
    first.close();
    first.close();
    assert.throws(() => memory.open("ann").need(FREE_BODY_BYTES + MIB), REFUSED);
  });

  test("have room for four of the largest, and for 256 MiB", () => {
    assert.ok(defaultBodyMemory(MIB) >= 256 * MIB);
    assert.ok(defaultBodyMemory(1024 ** 4) >= 4 * 1024 ** 4);
  });
});
