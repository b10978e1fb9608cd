import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { meantKey, nearestKey } from "../../lib/configuration/misspelling.ts";

const KNOWN = ["env", "args", "command", "requestTimeoutMs"];

describe("the key that was meant", () => {
  const rows: readonly (readonly [key: string, meant: string | undefined])[] = [
    ["env", undefined],
    ["ENV", "env"],
    ["envs", "env"],
    ["en", "env"],
    ["arsg", undefined],
    ["comand", "command"],
    ["commnad", "command"],
    ["cmd", undefined],
    ["requestTimeout", "requestTimeoutMs"],
    ["timeout", undefined],
    ["url", undefined],
    ["", undefined],
  ];
  for (const [key, meant] of rows) {
    test(`by ${JSON.stringify(key)} is ${meant}`, () => assert.equal(meantKey(key, KNOWN), meant));
  }
});

describe("the key that comes nearest, where no others are known,", () => {
  const rows: readonly (readonly [key: string, nearest: string | undefined])[] = [
    ["ENV", "env"],
    ["arsg", "args"],
    ["commnad", "command"],
    ["cmd", "command"],
    ["timeout", "requestTimeoutMs"],
    ["time", undefined],
    ["en", "env"],
    ["x", undefined],
    ["url", undefined],
    ["", undefined],
  ];
  for (const [key, nearest] of rows) {
    test(`to ${JSON.stringify(key)} is ${nearest}`, () => assert.equal(nearestKey(key, KNOWN), nearest));
  }
});
