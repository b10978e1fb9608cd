import assert from "node:assert/strict";
import { test } from "node:test";

import { rationed } from "../../lib/connect/rationed-log.ts";

test("a minute has a hundred lines, and the next one tells how many were left out", () => {
  const said: string[] = [];
  let clock = 0;
  const write = (fields: object, message: string): void => void said.push(JSON.stringify(fields) + message);
  const logger = rationed({ debug: write, info: write, warn: write, error: write }, () => clock);
  for (let line = 0; line < 130; line += 1) logger.warn({}, "odd");
  assert.equal(said.length, 100);
  logger.debug({}, "asked for");
  assert.equal(said.length, 101);
  clock = 60_000;
  logger.info({}, "again");
  assert.deepEqual(said.slice(101), ['{"lines":30}Lines were left out: there were too many', "{}again"]);
});
