import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { LOG_LEVELS } from "../../lib/eras/names.ts";
import { crosses } from "../../lib/eras/notification-up.ts";
import type { Listener } from "../../lib/eras/notification-up.ts";
import { always, values } from "../support/texts.ts";

const OLD_OLD: Listener = { client: "legacy", server: "legacy", logLevel: undefined };
const OLD_NEW: Listener = { ...OLD_OLD, server: "modern" };
const NEW_OLD: Listener = { ...OLD_OLD, client: "modern" };
const NEW_NEW: Listener = { ...OLD_NEW, client: "modern" };
const ALL = [OLD_OLD, OLD_NEW, NEW_OLD, NEW_NEW];

function heard(method: string, level?: unknown): boolean[] {
  const params = level === undefined ? {} : { params: { level } };
  return ALL.map((listener) => crosses({ method, ...params }, listener));
}

describe("a notification", () => {
  const everybody = [true, true, true, true];
  const nobody = [false, false, false, false];
  const allButBridged = [true, true, false, true];
  const rows: readonly (readonly [method: string, heard: boolean[], who: string])[] = [
    ["notifications/progress", everybody, "everybody"],
    [
      "notifications/message",
      allButBridged,
      "all but a modern client of a legacy server that asked for none",
    ],
    ["notifications/x", allButBridged, "all but a modern client of a legacy server"],
    ["x/notifications/tools/list_changed", allButBridged, "all but a modern client of a legacy server"],
    ["notifications/list_changed", allButBridged, "all but a modern client of a legacy server"],
    ["notifications/tasksX", allButBridged, "all but a modern client of a legacy server"],
    ["notifications/resources/updated/x", allButBridged, "all but a modern client of a legacy server"],
    ["notifications/tools/list_changed", nobody, "nobody"],
    ["notifications/prompts/list_changed", nobody, "nobody"],
    ["notifications/resources/list_changed", nobody, "nobody"],
    ["notifications/x/y/list_changed", nobody, "nobody"],
    ["notifications/resources/updated", nobody, "nobody"],
    ["notifications/tasks", nobody, "nobody"],
    ["notifications/tasks/status", nobody, "nobody"],
    ["notifications/elicitation/complete", nobody, "nobody"],
    ["notifications/cancelled", nobody, "nobody"],
  ];
  for (const [method, wanted, who] of rows) {
    test(`${method} is heard by ${who}`, () => assert.deepEqual(heard(method), wanted));
  }
});

describe("a log message of a legacy server", () => {
  test("is heard from the level up that the request asks for", () => {
    for (const [wanted, logLevel] of LOG_LEVELS.entries()) {
      const levels = LOG_LEVELS.filter((level) =>
        crosses({ method: "notifications/message", params: { level } }, { ...NEW_OLD, logLevel }),
      );
      assert.deepEqual(levels, LOG_LEVELS.slice(wanted));
    }
  });

  test("is not heard by who asks for none (2026-07-28/server/utilities/logging)", () => {
    for (const level of LOG_LEVELS) assert.equal(heard("notifications/message", level)[2], false);
  });

  test("without a level that exists is not heard", () => {
    const listener = { ...NEW_OLD, logLevel: "debug" };
    assert.equal(crosses({ method: "notifications/message" }, listener), false);
    always(values, (text) => {
      const params = { level: JSON.parse(text) as unknown };
      assert.equal(crosses({ method: "notifications/message", params }, listener), false);
    });
  });
});

test("a level that somebody asks for lets no other notification through", () => {
  always(fc.constantFrom(...LOG_LEVELS), (logLevel) => {
    const note = { method: "notifications/x", params: { level: "emergency" } };
    assert.equal(crosses(note, { ...NEW_OLD, logLevel }), false);
  });
});
