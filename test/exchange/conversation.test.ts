import assert from "node:assert/strict";
import { test } from "node:test";

import type { Logger } from "../../lib/index.ts";
import { observe } from "../support/modern.ts";
import { call, post } from "../support/rpc.ts";

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that keeps what it is given. */
function keeping(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const to = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: { ...fields } });
  return { logger: { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") }, lines };
}

test("what a server writes to stdout beside its messages is told once for each process", async (t) => {
  const { logger, lines } = keeping();
  const env = { TOKEN: "s3cret-value" };
  const { ask, started } = observe(t, "logs-to-stdout", { logger, config: { env } });
  for (const _ of ["first", "second"]) assert.equal((await ask(post(call("any")))).status, 200);
  const told = lines.filter(({ message }) => message.includes("not JSON-RPC"));
  assert.equal(started(), 2);
  assert.deepEqual(
    told.map(({ level }) => level),
    ["warn", "debug", "warn", "debug"],
  );
  const [{ server, line } = {}] = told.map(({ fields }) => fields);
  assert.equal(server, "only");
  assert.match(String(line), /^Logged in with \*\*\* and on it goes.*… \(1527 characters\)$/);
  assert.ok(String(line).length < 300);
  assert.doesNotMatch(JSON.stringify(told), /s3cret-value|A second line/);
});

const NOT_2_0 = 'its jsonrpc member is not "2.0"';
const PRIVATE = '"result":{"private":"of the caller"}';
const FLAWED: readonly (readonly [stray: string, flaw: string])[] = [
  [`{"id":"@id",${PRIVATE}}`, NOT_2_0],
  [`{"jsonrpc":"2.0","id":null,${PRIVATE}}`, "its id is neither a string nor an integer"],
  [`[{"jsonrpc":"2.0","id":"other",${PRIVATE}},7]`, "it is not an object"],
  [`[${`{"jsonrpc":"2.0","id":"other",${PRIVATE}},`.repeat(1000)}{}]`, "it has more than 1000 parts"],
  [`{"jsonrpc":"2.0","id":"@id",${PRIVATE},"n":NaN}`, "it is not valid JSON"],
  [` [ {"jsonrpc":"2.0",${PRIVATE}`, "it is not valid JSON"],
];

for (const [stray, flaw] of FLAWED) {
  test(`the log says "${flaw}" of ${stray.slice(0, 60)} without its text`, async (t) => {
    const { logger, lines } = keeping();
    const { ask } = observe(t, "verbatim", { logger });
    const line = `${stray}\n{"jsonrpc":"2.0","id":"@id","result":{"content":[]}}`;
    assert.equal((await ask(post(call("call", { line })))).status, 200);
    const told = lines.filter(({ level }) => level === "warn");
    assert.equal(told.length, 1);
    const { characters, ...fields } = told[0]?.fields ?? {};
    assert.deepEqual(fields, { server: "only", flaw });
    assert.ok(Number(characters) >= stray.replace('"@id"', "1").length);
    assert.doesNotMatch(JSON.stringify(lines), /private/);
  });
}
