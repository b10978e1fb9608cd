import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { HandlerOptions, Logger } from "../lib/index.ts";
import { createWatch } from "../lib/watching.ts";

interface Entry {
  readonly level: string;
  readonly message: string;
  readonly fields: { readonly message?: unknown };
}

/** What is logged when one message goes to a server, whose secret is `s3cret-value`. */
function logged(options: Pick<HandlerOptions, "onMessage" | "logMessages">, text: string): Entry[] {
  const entries: Entry[] = [];
  const to = (level: string) => (fields: object, message: string) => entries.push({ level, message, fields });
  const logger: Logger = { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };
  createWatch(options, logger)({ name: "a", secrets: ["s3cret-value"] }, "out", text);
  return entries;
}

describe("a message", () => {
  test("is not logged without being asked for", () => assert.deepEqual(logged({}, "{}"), []));

  test("is logged at the level debug, with its direction and with secrets masked", () => {
    const fields = { server: "a", direction: "from server", message: '{"a":"***"}' };
    assert.deepEqual(logged({ logMessages: true }, '{"a":"s3cret-value"}'), [
      { level: "debug", message: "message", fields },
    ]);
  });

  test("is cut after 4000 characters, and never inside of a secret", () => {
    const messageOf = (text: string): unknown => {
      const [entry] = logged({ logMessages: true }, text);
      return (entry ?? { fields: {} }).fields.message;
    };
    assert.equal(messageOf("x".repeat(4000)), "x".repeat(4000));
    assert.equal(messageOf("x".repeat(4001)), `${"x".repeat(4000)}… (4001 characters)`);
    const text = `${"x".repeat(3995)}s3cret-value${"x".repeat(100)}`;
    assert.equal(messageOf(text), `${"x".repeat(3995)}***… (${text.length} characters)`);
  });

  test("reaches the observer as it is, and an observer that throws is logged", () => {
    const seen: unknown[] = [];
    const onMessage = (...event: unknown[]): void => {
      seen.push(event);
      throw new Error("no");
    };
    const [fault, entry] = logged({ onMessage, logMessages: true }, "s3cret-value");
    assert.deepEqual(seen, [["a", "out", "s3cret-value"]]);
    assert.deepEqual([fault?.message, entry?.message], ["onMessage threw", "message"]);
  });
});
