import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CACHEABLE,
  INPUT_CAPABILITIES,
  LOG_LEVELS,
  META,
  MULTI_ROUND_TRIP,
  TASKS_EXTENSION,
} from "../../lib/eras/names.ts";

test("members of _meta have the names that the protocol gives them (2026-07-28/basic, General fields)", () => {
  assert.deepEqual(META, {
    protocolVersion: "io.modelcontextprotocol/protocolVersion",
    clientInfo: "io.modelcontextprotocol/clientInfo",
    clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
    logLevel: "io.modelcontextprotocol/logLevel",
    serverInfo: "io.modelcontextprotocol/serverInfo",
    subscriptionId: "io.modelcontextprotocol/subscriptionId",
  });
  assert.equal(TASKS_EXTENSION, "io.modelcontextprotocol/tasks");
});

test("a client is asked by three capabilities (2026-07-28/client)", () => {
  assert.deepEqual(INPUT_CAPABILITIES, ["elicitation", "sampling", "roots"]);
});

test("caching hints stand in six results (2026-07-28/server/utilities/caching, Cacheable Results)", () => {
  assert.deepEqual(
    [...CACHEABLE],
    [
      "server/discover",
      "tools/list",
      "prompts/list",
      "resources/list",
      "resources/templates/list",
      "resources/read",
    ],
  );
});

test("three requests may be answered with a question (2026-07-28/basic/patterns/mrtr, Supported Requests)", () => {
  assert.deepEqual([...MULTI_ROUND_TRIP].toSorted(), ["prompts/get", "resources/read", "tools/call"]);
});

test("log levels rise as in syslog (2026-07-28/server/utilities/logging, Log Levels)", () => {
  assert.deepEqual(LOG_LEVELS, [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
  ]);
});
