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

test("what a server writes to stdout beside its messages is told once for each process", async (t) => {
  const lines: Line[] = [];
  const to = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: { ...fields } });
  const logger: Logger = { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };
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
