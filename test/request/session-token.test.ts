import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MayflyError } from "../../lib/errors.ts";
import type { Handshake } from "../../lib/exchange/initialize.ts";
import { decodeSessionToken, encodeSessionToken } from "../../lib/request/session-token.ts";

const HANDSHAKE: Handshake = {
  protocolVersion: "2025-11-25",
  clientInfo: { name: "é client", version: "1.2.3", title: "A client" },
  capabilities: { experimental: { x: { y: [1] } }, extensions: {} },
};

function token(content: unknown): string {
  return `1.${Buffer.from(JSON.stringify(content)).toString("base64url")}`;
}

describe("a session token", () => {
  test("brings the handshake back", () => {
    assert.deepEqual(decodeSessionToken(encodeSessionToken(HANDSHAKE) ?? null, undefined), HANDSHAKE);
  });

  test("holds visible ASCII only, and differs each time", () => {
    const [first, second] = [encodeSessionToken(HANDSHAKE), encodeSessionToken(HANDSHAKE)];
    assert.match(first ?? "", /^1\.[A-Za-z0-9_-]+$/);
    assert.notEqual(first, second);
  });

  test("holds the four members and nothing else", () => {
    const text = Buffer.from(encodeSessionToken(HANDSHAKE)?.slice(2) ?? "", "base64url").toString();
    const { n, ...members } = JSON.parse(text) as Record<string, unknown>;
    assert.match(String(n), /^[0-9a-f-]{36}$/);
    assert.deepEqual(members, { ci: HANDSHAKE.clientInfo, cap: HANDSHAKE.capabilities, v: "2025-11-25" });
  });

  test("that was forged gives nothing that initialize would not give", () => {
    const ci = { name: "x", version: "1" };
    const forged = token({
      ci,
      cap: { sampling: {}, tasks: {}, future: {}, experimental: { a: 1 } },
      v: "2025-06-18",
    });
    assert.deepEqual(decodeSessionToken(forged, undefined)?.capabilities, {
      sampling: {},
      experimental: { a: 1 },
    });
    assert.throws(() => decodeSessionToken(token({ ci, cap: {}, v: "2026-07-28" }), "1"), MayflyError);
  });

  test("is given up to 2048 bytes, not above", () => {
    const sized = (length: number): string | undefined =>
      encodeSessionToken({ ...HANDSHAKE, clientInfo: { name: "x".repeat(length), version: "1" } });
    const lengths = Array.from({ length: 200 }, (_, index) => sized(1250 + index)?.length ?? Infinity);
    assert.ok(lengths.filter((length) => length <= 2048).length > 10);
    assert.ok(
      lengths.includes(2048) || lengths.includes(2047),
      `the longest is ${lengths.findLast(Number.isFinite)}`,
    );
    assert.deepEqual(
      lengths.filter((length) => length > 2048 && length !== Infinity),
      [],
    );
    assert.equal(lengths.at(-1), Infinity);
  });
});

describe("a session id", () => {
  for (const header of [null, "", "1", "2.e30", "6f0c1a2e", " 1.e30", "01.e30"]) {
    test(`of another kind is ignored: ${header}`, () => {
      assert.equal(decodeSessionToken(header, "1"), undefined);
    });
  }

  const good = { ci: { name: "a", version: "1" }, cap: {}, v: "2025-06-18" };
  const bad: readonly (readonly [what: string, header: string])[] = [
    ["nothing", "1."],
    ["no JSON", "1.eA"],
    ["no base64url", "1.%%%"],
    ["no object", token([1])],
    ["null", token(null)],
    ["no client", token({ ...good, ci: undefined })],
    ["a client without a name", token({ ...good, ci: { version: "1" } })],
    ["a client that is an array", token({ ...good, ci: [] })],
    ["capabilities that are an array", token({ ...good, cap: [] })],
    ["a version that is a number", token({ ...good, v: 1 })],
    ["more than 2048 bytes", token({ ...good, x: "x".repeat(2048) })],
  ];
  for (const [what, header] of bad) {
    test(`of ours with ${what} is not found, and the request is named`, () => {
      assert.throws(
        () => decodeSessionToken(header, '"7"'),
        (error) =>
          error instanceof MayflyError &&
          error.code === "SESSION_NOT_FOUND" &&
          error.status === 404 &&
          error.id === '"7"',
      );
    });
  }

  test("without a random part is read as well", () => {
    assert.deepEqual(decodeSessionToken(token(good), undefined), {
      clientInfo: good.ci,
      capabilities: {},
      protocolVersion: "2025-06-18",
    });
  });
});
