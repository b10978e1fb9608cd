import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ConfigurationError } from "../lib/index.ts";
import { silentLogger } from "../lib/logger.ts";
import { createOriginCheck } from "../lib/origins.ts";
import { effortOf } from "./support/effort.ts";

const ROWS: readonly (readonly [
  patterns: readonly string[],
  invited: readonly string[],
  others: readonly string[],
])[] = [
  [[], [], ["https://app.example.com", "null", "http://localhost", "file://", "x", ""]],
  [
    ["https://app.example.com"],
    ["https://app.example.com"],
    [
      "http://app.example.com",
      "https://app.example.com:8443",
      "https://app.example.com.evil.com",
      "https://evil.com/https://app.example.com",
      "https://xapp.example.com",
      "https://appxexample.com",
      "null",
    ],
  ],
  [
    ["https://*.example.com"],
    ["https://a.example.com", "https://a-1.b_2.example.com"],
    [
      "https://example.com",
      "https://.example.com",
      "https://evilexample.com",
      "https://a.example.com.evil.com",
      "https://evil.com/.example.com",
      "https://evil.com#.example.com",
      "https://evil.com?.example.com",
      "https://evil.com\\.example.com",
      "https://u@evil.com:1.example.com",
      "https://a..example.com",
      "https://a.example.com:8443",
      "http://a.example.com",
      "https://a.example.com\n",
      "null",
    ],
  ],
  [
    ["https://*.example.com:8443"],
    ["https://a.example.com:8443"],
    ["https://a.example.com", "https://a.example.com:443"],
  ],
  [["http://localhost:*"], ["http://localhost:3000"], ["http://localhost", "http://localhost:1@evil.com"]],
  [["http://[::1]:6274"], ["http://[::1]:6274"], ["http://[::1]:6275"]],
  [["*"], ["https://app.example.com", "null", "http://localhost:3000"], []],
  [["https://a.com", "*"], ["https://b.com", "null"], []],
  [["https://a.com", "https://b.com"], ["https://a.com", "https://b.com"], ["https://a.com, https://b.com"]],
  [["HTTPS://App.Example.com/"], ["https://app.example.com"], ["https://app.example.com/"]],
  [["https://app.example.com:443", "http://a.com:80"], ["https://app.example.com", "http://a.com"], []],
  [["https://*.münchen.example"], ["https://a.xn--mnchen-3ya.example"], ["https://a.münchen.example"]],
  [
    ["chrome-extension://abcdefghijklmnop"],
    ["chrome-extension://abcdefghijklmnop"],
    ["chrome-extension://b"],
  ],
];

for (const [patterns, invited, others] of ROWS) {
  test(`${JSON.stringify(patterns)} invites ${invited.join(" and ") || "nobody"}, and nobody else`, async () => {
    const isInvited = createOriginCheck(patterns, silentLogger);
    for (const origin of invited) assert.equal(await isInvited(origin), true, origin);
    for (const origin of others) assert.equal(await isInvited(origin), false, origin);
  });
}

const WRONG = [
  "",
  "null",
  "example.com",
  "*.example.com",
  "https://",
  "https://*",
  "https://*.",
  "https://*.*.com",
  "https://a.*.com",
  "https://*example.com",
  "https://example.com/path",
  "https://user@example.com",
  "https://example.com:port",
  "https://a.com https://b.com",
  "https://[::1",
];

for (const pattern of WRONG) {
  test(`"${pattern}" is not taken for an origin`, () => {
    assert.throws(() => createOriginCheck([pattern], silentLogger), {
      name: ConfigurationError.name,
      message: `cors: "${pattern}" is no origin: expected https://app.example.com, https://*.example.com, http://localhost:* or *`,
    });
  });
}

test("a long origin is compared in no time", async () => {
  const isInvited = createOriginCheck(["https://*.example.com"], silentLogger);
  const tookMs = await effortOf(async () => {
    assert.equal(await isInvited(`https://${"a.".repeat(50_000)}evil.com`), false);
  });
  assert.ok(tookMs < 1000, `${tookMs} milliseconds`);
});

describe("a function", () => {
  const noted: unknown[] = [];
  const logger = { ...silentLogger, error: (...entry: unknown[]) => void noted.push(entry) };

  test("decides at once or later, and gets what the browser sent", async () => {
    const atOnce = createOriginCheck((origin) => origin === "null", silentLogger);
    assert.deepEqual([await atOnce("null"), await atOnce("https://a.com")], [true, false]);
    const later = createOriginCheck((origin) => Promise.resolve(origin.endsWith(".a")), silentLogger);
    assert.deepEqual([await later("app://x.a"), await later("app://x.b")], [true, false]);
  });

  test("that says anything but true has not said yes", async () => {
    const vague = (() => "no") as unknown as () => boolean;
    assert.equal(await createOriginCheck(vague, silentLogger)("https://a.com"), false);
  });

  test("that throws or rejects has refused, and the log says so", async () => {
    const fails = (): boolean => {
      throw new Error("the list is gone");
    };
    const rejects = (): Promise<boolean> => Promise.reject(new Error("the list is gone"));
    for (const origins of [fails, rejects]) {
      assert.equal(await createOriginCheck(origins, logger)("https://a.com"), false);
    }
    const message = "cors.origins failed: the origin is refused";
    assert.deepEqual(noted, [
      [{ err: new Error("the list is gone") }, message],
      [{ err: new Error("the list is gone") }, message],
    ]);
  });
});
