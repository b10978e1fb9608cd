import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { REQUIRED, envelopeOf, hasVersion, isImplementation } from "../../lib/eras/envelope.ts";
import { LOG_LEVELS, META } from "../../lib/eras/names.ts";
import type { MessageValue } from "../../lib/jsonrpc.ts";
import { always, values } from "../support/texts.ts";

const [PV, CI, CC, LL] = [META.protocolVersion, META.clientInfo, META.clientCapabilities, META.logLevel];
const CLIENT = { name: "client", version: "1", title: "A client" };
const WHOLE = { [PV]: "2026-07-28", [CI]: CLIENT, [CC]: { sampling: {}, future: 1 }, [LL]: "info" };

function message(meta: unknown): MessageValue {
  return { id: 1, method: "tools/list", params: { _meta: meta } };
}

test("an envelope says who calls, with capabilities as they were sent", () => {
  assert.deepEqual(envelopeOf(message(WHOLE)), {
    protocolVersion: "2026-07-28",
    clientInfo: CLIENT,
    capabilities: { sampling: {}, future: 1 },
    logLevel: "info",
  });
});

test("an envelope needs two members only (2026-07-28/basic, Per-request protocol fields)", () => {
  assert.deepEqual(REQUIRED, [PV, CC]);
  assert.deepEqual(envelopeOf(message({ [PV]: "x", [CC]: {} })), {
    protocolVersion: "x",
    clientInfo: undefined,
    capabilities: {},
    logLevel: undefined,
  });
});

test("a log level is one of those of the protocol", () => {
  for (const level of LOG_LEVELS) {
    const envelope = envelopeOf(message({ ...WHOLE, [LL]: level }));
    assert.equal(typeof envelope === "string" ? envelope : envelope.logLevel, level);
  }
});

describe("an envelope is refused", () => {
  const rows: readonly (readonly [what: string, meta: unknown, flaw: string])[] = [
    ["without members", {}, `${PV} is not a string`],
    ["that is null", null, `${PV} is not a string`],
    ["that is an array", [WHOLE], `${PV} is not a string`],
    ["with a version that is a number", { ...WHOLE, [PV]: 20_260_728 }, `${PV} is not a string`],
    ["without capabilities", { [PV]: "2026-07-28" }, `${CC} is not an object`],
    ["with capabilities that are null", { ...WHOLE, [CC]: null }, `${CC} is not an object`],
    ["with capabilities that are an array", { ...WHOLE, [CC]: [] }, `${CC} is not an object`],
    ["with a client that is null", { ...WHOLE, [CI]: null }, `${CI} has no name or no version`],
    ["with a client without a version", { ...WHOLE, [CI]: { name: "a" } }, `${CI} has no name or no version`],
    ["with an unknown log level", { ...WHOLE, [LL]: "verbose" }, `${LL} is not a log level`],
    ["with a log level in capitals", { ...WHOLE, [LL]: "INFO" }, `${LL} is not a log level`],
    ["with a log level that is null", { ...WHOLE, [LL]: null }, `${LL} is not a log level`],
  ];
  for (const [what, meta, flaw] of rows) {
    test(what, () => assert.equal(envelopeOf(message(meta)), flaw));
  }

  test("whatever else stands there, and nothing is thrown", () => {
    always(values, (text) => {
      const value: unknown = JSON.parse(text);
      assert.equal(envelopeOf(message(value)), `${PV} is not a string`);
      assert.equal(typeof envelopeOf(message({ ...WHOLE, [PV]: value, [LL]: value })), "string");
      assert.equal(hasVersion(message({ [PV]: value })), true);
      assert.equal(hasVersion(message(value)), false);
    });
  });
});

test("a message names its revision also where the name is no text, and nowhere but in _meta", () => {
  assert.equal(hasVersion(message({ [PV]: null })), true);
  assert.equal(hasVersion(message({ [CC]: {} })), false);
  assert.equal(hasVersion({ id: 1, method: "a", params: { [PV]: "2026-07-28" } }), false);
  assert.equal(hasVersion({ id: 1, method: "a" }), false);
  assert.equal(hasVersion({ id: 1, result: { _meta: WHOLE } }), false);
  assert.equal(hasVersion({ method: "notifications/x", params: { _meta: WHOLE } }), true);
});

test("an implementation has a name and a version", () => {
  assert.equal(isImplementation({ name: "", version: "", icons: [] }), true);
  for (const value of [undefined, null, "a", [], ["a", "1"], {}, { name: "a" }, { version: "1" }]) {
    assert.equal(isImplementation(value), false);
  }
  assert.equal(isImplementation({ name: "a", version: 1 }), false);
});
