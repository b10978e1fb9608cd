import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { createFileLogger } from "../../lib/adapters/log.ts";
import { temporaryFolder } from "../support/files.ts";

describe("a log in a file", () => {
  test(
    "goes on at its end, and is for nobody else to read",
    { skip: process.platform === "win32" },
    async (t) => {
      const file = join(await temporaryFolder(t), "log");
      writeFileSync(file, "before\n", { mode: 0o644 });
      const logger = createFileLogger("info", file, "--debug-file");
      logger.debug({}, "too little");
      logger.warn({ tool: "a" }, "seen");
      const [before, line = "", ...rest] = readFileSync(file, "utf8").split("\n");
      assert.deepEqual([before, rest], ["before", [""]]);
      const { time: _, ...entry } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      assert.deepEqual(entry, { level: 40, tool: "a", msg: "seen" });
      assert.equal(statSync(file).mode & 0o777, 0o600);
    },
  );

  test("that cannot be opened is an error of its option", () => {
    assert.throws(() => createFileLogger("info", "/not/there/log", "--debug-file"), {
      name: "ConfigurationError",
      message: "--debug-file: /not/there/log cannot be written (ENOENT)",
    });
  });

  test("on a disk that is full ends nothing", { skip: process.platform !== "linux" }, (t) => {
    const told = t.mock.method(process.stderr, "write", () => true);
    const logger = createFileLogger("info", "/dev/full", "--debug-file");
    logger.info({}, "one");
    logger.info({}, "two");
    assert.deepEqual(
      told.mock.calls.map(({ arguments: [text] }) => text),
      ["mayfly: --debug-file: /dev/full takes no more (ENOSPC)\n"],
    );
  });
});
