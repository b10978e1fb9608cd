import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { ERRORS } from "../../lib/errors.ts";
import { post } from "../support/rpc.ts";
import { eventually, objects, objectsWith, values } from "../support/texts.ts";
import { watchedHandler } from "../support/unstarted.ts";

/** What is called, and what calls, in every request that is not arbitrary through and through. */
const METHODS = [
  "tools/call",
  "tools/list",
  "initialize",
  "ping",
  "server/discover",
  "subscriptions/listen",
  "resources/subscribe",
  "notifications/cancelled",
  "notifications/initialized",
  "constructor",
  "__proto__",
];
const VERSIONS = ["2026-07-28", "2025-11-25", "2025-03-26", "2024-11-05", "2099-01-01", ""];
const PREFIX = "io.modelcontextprotocol/";
const [VERSION, CAPABILITIES] = [`${PREFIX}protocolVersion`, `${PREFIX}clientCapabilities`];

const texts = (all: readonly string[]): fc.Arbitrary<string> =>
  fc.constantFrom(...all).map((text) => JSON.stringify(text));

const metas = objectsWith({
  [VERSION]: fc.oneof(texts(VERSIONS), values),
  [CAPABILITIES]: fc.oneof(objects, values),
  [`${PREFIX}clientInfo`]: fc.oneof(fc.constant('{"name":"n","version":"1"}'), values),
  [`${PREFIX}logLevel`]: fc.oneof(texts(["debug", "loud"]), values),
  progressToken: values,
});
const parameters = objectsWith({
  _meta: fc.oneof(metas, values),
  name: fc.oneof(texts(["echo"]), values),
  arguments: values,
  uri: values,
  requestId: values,
  requestState: values,
  inputResponses: fc.oneof(objects, values),
  notifications: values,
  protocolVersion: fc.oneof(texts(VERSIONS), values),
  capabilities: values,
  clientInfo: values,
});
const messages = objectsWith({
  jsonrpc: fc.oneof({ arbitrary: fc.constant('"2.0"'), weight: 9 }, values),
  id: fc.oneof(fc.constantFrom("1", '"a"', "9007199254740993", "1.5", "null"), values),
  method: fc.oneof({ arbitrary: texts(METHODS), weight: 4 }, values),
  params: fc.oneof({ arbitrary: parameters, weight: 4 }, values),
  result: fc.oneof(fc.constant("{}"), values),
});

/** Some of the bytes replaced by others. */
const damaged = fc
  .tuple(
    messages,
    fc.array(fc.tuple(fc.nat(9999), fc.uint8Array({ maxLength: 3 }), fc.nat(3)), { maxLength: 3 }),
  )
  .map(([text, changes]) =>
    changes.reduce<Buffer>((bytes, [place, inserted, removed]) => {
      const at = place % (bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
    }, Buffer.from(text)),
  );

const DEEP = 60_000;
const nested = fc
  .tuple(fc.nat(DEEP), fc.constantFrom("[", '{"a":', '{"__proto__":', '[{"_meta":'), fc.boolean())
  .map(([depth, opening, isClosed]) => {
    const ends = [...opening].filter((one) => "[{".includes(one)).map((one) => (one === "[" ? "]" : "}"));
    const text = `${opening.repeat(depth)}1${isClosed ? ends.toReversed().join("").repeat(depth) : ""}`;
    return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${text}}}`;
  });

/** Half a pair, which UTF-8 cannot say, as it is or escaped. */
const halves = fc
  .tuple(fc.integer({ min: 0xd800, max: 0xdfff }), fc.boolean(), fc.constantFrom("id", "method", "name"))
  .map(([unit, isEscaped, key]) => {
    const half = isEscaped ? `\\u${unit.toString(16)}` : String.fromCharCode(unit);
    return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"${key}":"${half}"}`;
  });

const bodies: fc.Arbitrary<string | Buffer> = fc.oneof(
  { arbitrary: messages, weight: 6 },
  { arbitrary: damaged, weight: 3 },
  { arbitrary: fc.array(messages, { maxLength: 4 }).map((all) => `[${all.join(",")}]`), weight: 2 },
  { arbitrary: values, weight: 1 },
  { arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
  { arbitrary: nested, weight: 1 },
  { arbitrary: halves, weight: 1 },
);

const token = fc
  .oneof(values, objects, objectsWith({ ci: values, cap: fc.oneof(objects, values), v: texts(VERSIONS) }))
  .map((text) => `1.${Buffer.from(text).toString("base64url")}`);
/** What a header can hold: bytes but for line breaks and NUL. */
const value = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
  maxLength: 20,
});
const headers = fc.record(
  {
    "mcp-protocol-version": fc.oneof(fc.constantFrom(...VERSIONS), value),
    "mcp-session-id": fc.oneof(token, value),
    "mcp-method": fc.oneof(fc.constantFrom(...METHODS), value),
    "mcp-name": fc.oneof(fc.constantFrom("echo", "=?base64?ZWNobw==?=", "=?base64?!?="), value),
    "mcp-param-x": value,
    accept: fc.oneof(
      fc.constantFrom("application/json", "text/event-stream", "*/*", "image/png, */*;q=0"),
      value,
    ),
    "content-type": fc.oneof(
      { arbitrary: fc.constantFrom("application/json", "application/json; charset=utf-8"), weight: 4 },
      value,
    ),
    "content-length": fc.constantFrom("0", "7", "99999999999", "-1", "x"),
    "last-event-id": value,
    origin: value,
    "x-api-key": value,
    authorization: value,
  },
  { requiredKeys: [] },
);

const queries = fc.oneof(
  { arbitrary: fc.constant(""), weight: 5 },
  fc.string({ unit: "binary", maxLength: 12 }).map((text) => `?${encodeURI(Buffer.from(text).toString())}`),
  fc.constantFrom("?__proto__=1", "?deep=1", "?sessionId=1", "?%", "?auth_key=%ff", "?A=1&A=2"),
);
const paths = fc
  .tuple(
    fc.constantFrom("/mcp", "/mcp/echo", "/mcp/__proto__", "/servers/constructor/mcp", "/mcp/%ff"),
    queries,
  )
  .map((parts) => parts.join(""));

const OBJECT = Object.getOwnPropertyNames(Object.prototype);
const ARRAY = Object.getOwnPropertyNames(Array.prototype);

/** A server that cannot be started: what gets that far is told so, quickly. */
const options = { mcpServers: { echo: { command: "/no/such/program" } }, maxBodyBytes: 1024 ** 2 };

describe("whatever a request holds", () => {
  test("its answer is one of its own status, no process is started for a refusal, and nothing is polluted", async (t) => {
    const handler = watchedHandler(t, options);
    await eventually(fc.tuple(paths, bodies, headers), async ([path, body, given]) => {
      const before = handler.started().processes;
      const init = { ...post(""), body, headers: { ...post("").headers, ...given } };
      const response = await handler.fetch(path, init);
      const text = await response.text();
      assert.ok(response.status < 500, `${response.status}: ${text}`);
      assert.ok(!text.includes(ERRORS.INTERNAL.message), text);
      if (response.status >= 400) {
        assert.equal(handler.started().processes, before, `a process was started, and then: ${text}`);
        const { jsonrpc, error } = JSON.parse(text);
        assert.deepEqual([jsonrpc, typeof error.code, typeof error.message], ["2.0", "number", "string"]);
      } else for (const one of messagesIn(response, text)) assert.equal(JSON.parse(one).jsonrpc, "2.0");
      assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), OBJECT);
      assert.deepEqual(Object.getOwnPropertyNames(Array.prototype), ARRAY);
    });
  });
});

function messagesIn({ headers }: Response, text: string): string[] {
  if (text === "") return [];
  if (headers.get("content-type") === "text/event-stream")
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? "");
  return text.startsWith("[") ? (JSON.parse(text) as unknown[]).map((one) => JSON.stringify(one)) : [text];
}
