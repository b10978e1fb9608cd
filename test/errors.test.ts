import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { ERRORS, MayflyError, errorText, toMayflyError, withId } from "../lib/errors.ts";

const PAGE = readFileSync(new URL("../docs/errors.md", import.meta.url), "utf8");

test("the page about errors has the rows of the table, in their order", () => {
  const rows = PAGE.split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
  const table = Object.entries(ERRORS).map(([code, row]) => {
    const reason = "reason" in row ? row.reason : "";
    return [code, String(row.status), String(row.rpc), reason, row.message];
  });
  assert.deepEqual(rows[0], ["Code", "HTTP status", "JSON-RPC code", "Reason", "Message"]);
  assert.deepEqual(rows.slice(2), table);
});

test("every 503 says when to try again, as the page does, and nothing else", () => {
  const said = [...PAGE.matchAll(/^- `Retry-After: (\d+)` with the reason `(\w+)`/gm)];
  const seconds = new Map(said.map(([, number, reason]) => [String(reason), number]));
  assert.deepEqual(
    seconds,
    new Map([
      ["overloaded", "1"],
      ["shutdown", "5"],
    ]),
  );
  for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
    const { status, reason, headers } = new MayflyError(code);
    const expected: object = status === 503 ? { "Retry-After": seconds.get(String(reason)) } : {};
    assert.deepEqual(headers, expected, code);
  }
});

test("the page's example is what is written", () => {
  const example: unknown = JSON.parse(/```json\n([^]*?)```/.exec(PAGE)?.[1] ?? "");
  const values = { server: "github", method: "tools/call", limit: 60_000 };
  assert.deepEqual(JSON.parse(errorText(new MayflyError("REQUEST_TIMEOUT", { values, id: "1" }))), example);
});

test("no code is used that the specification reserves for others", () => {
  const own = [-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022];
  const used = new Set<number>(Object.values(ERRORS).map(({ rpc }) => rpc));
  assert.deepEqual(used, new Set(own));
});

describe("an error", () => {
  test("says what happened, with the values of its placeholders", () => {
    const values = { server: "$& {method}", method: "tools/call", limit: 5 };
    const { message } = new MayflyError("REQUEST_TIMEOUT", { values });
    assert.equal(message, 'The server "$& {method}" did not answer tools/call within 5 milliseconds');
  });

  test("has its reason before further data, and its id as it was written", () => {
    const error = new MayflyError("INITIALIZE_REFUSED", {
      values: { server: "a", detail: "no" },
      data: { error: { code: 1 } },
      id: "9007199254740993",
    });
    assert.equal(
      errorText(error),
      '{"jsonrpc":"2.0","id":9007199254740993,"error":{"code":-32603,' +
        '"message":"The server \\"a\\" refused to initialize: no",' +
        '"data":{"reason":"protocol","error":{"code":1}}}}',
    );
  });

  test("has neither an id member nor data where there is nothing to say", () => {
    assert.equal(
      errorText(new MayflyError("NOT_ACCEPTABLE")),
      '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Accept must allow application/json or text/event-stream"}}',
    );
  });

  test("keeps what is for the log from the caller", () => {
    const error = new MayflyError("HOST_NOT_ALLOWED", { log: { host: "a.example" } });
    assert.deepEqual(error.log, { host: "a.example" });
    assert.doesNotMatch(errorText(error), /a\.example/);
  });

  test("gets the id of its request, unless it has one", () => {
    const idOf = (error: unknown, id: string | undefined): unknown => (withId(error, id) as MayflyError).id;
    assert.equal(idOf(new MayflyError("DEADLINE"), '"a"'), '"a"');
    assert.equal(idOf(new MayflyError("DEADLINE", { id: "1" }), "2"), "1");
    const other = new Error("other");
    assert.equal(withId(other, "1"), other);
  });

  test("that is not in the table tells the caller nothing", () => {
    const cause = new Error("secret path and stack");
    const error = toMayflyError(cause);
    assert.equal(error.cause, cause);
    assert.equal(
      errorText(error),
      '{"jsonrpc":"2.0","error":{"code":-32603,"message":"An error inside Mayfly: see its log"}}',
    );
    const known = new MayflyError("DEADLINE");
    assert.equal(toMayflyError(known), known);
  });
});
