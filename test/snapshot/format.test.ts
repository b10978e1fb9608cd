import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { readSnapshot, sameAnswers, snapshotText } from "../../lib/snapshot/format.ts";
import type { Snapshot } from "../../lib/snapshot/format.ts";

const OPENING = '{"jsonrpc":"2.0","id":0,"result":{"serverInfo":{"name":"a"}, "n":9007199254740993}}';
const PAGE = '{"result":{"tools":[]},"jsonrpc":"2.0","id":0}';
const ANSWERS = {
  opening: OPENING,
  lists: {
    "tools/list": [
      { cursor: undefined, answer: PAGE },
      { cursor: "2", answer: PAGE },
    ],
  },
};
const SNAPSHOT: Snapshot = {
  key: { configuration: "c", package: null, files: { "a.mjs": "f" }, environment: ["A"] },
  eras: { modern: false, legacy: true },
  legacy: { "2025-11-25": ANSWERS, "2024-11-05": ANSWERS },
  modern: undefined,
};

describe("the file of a snapshot", () => {
  const text = snapshotText(SNAPSHOT);

  test("is read as it was written", () => {
    assert.deepEqual(readSnapshot(text), SNAPSHOT);
    assert.equal(snapshotText(readSnapshot(text)), text);
  });

  test("holds each text once, and does not show who wrote what first", () => {
    assert.equal(text.split("serverInfo").length, 2);
    const { "2025-11-25": newest, "2024-11-05": oldest } = SNAPSHOT.legacy;
    const other = { ...SNAPSHOT, legacy: { "2024-11-05": oldest, "2025-11-25": newest } } as Snapshot;
    assert.equal(snapshotText(other), text);
  });

  const broken: readonly (readonly [title: string, text: string])[] = [
    ["no JSON", text.slice(0, -9)],
    ["an array", "[]"],
    ["another format", text.replace('"format": 1', '"format": 2')],
    ["no key", text.replace('"key"', '"kay"')],
    ["no eras", text.replace('"eras"', '"erae"')],
    ["an era that is no fact", text.replace('"modern": false', '"modern": "no"')],
    ["no texts", text.replace('"texts"', '"text"')],
    ["a text that is no message", text.replace('"{\\"result', '"x{\\"result')],
    ["a text that is not there", text.replace('"opening": 0', '"opening": 7')],
    ["no lists", text.replace('"lists"', '"list"')],
    ["a list that is none", text.replace('"tools/list": [', '"tools/list": 1, "x": [')],
  ];
  for (const [title, wrong] of broken) {
    test(`is not read with ${title}`, () => {
      assert.notEqual(wrong, text);
      assert.throws(() => readSnapshot(wrong));
    });
  }
});

describe("two records say the same", () => {
  test("whatever they were made for", () => {
    const key = { ...SNAPSHOT.key, package: "a@1.0.0" };
    assert.ok(sameAnswers(SNAPSHOT, { ...SNAPSHOT, key }));
  });

  test("only if every answer is the same", () => {
    const [first] = ANSWERS.lists["tools/list"];
    const shorter = { ...ANSWERS, lists: { "tools/list": first ? [first] : [] } };
    assert.ok(!sameAnswers(SNAPSHOT, { ...SNAPSHOT, modern: ANSWERS }));
    assert.ok(!sameAnswers(SNAPSHOT, { ...SNAPSHOT, eras: { legacy: true } }));
    assert.ok(!sameAnswers(SNAPSHOT, { ...SNAPSHOT, legacy: { "2025-11-25": ANSWERS } }));
    assert.ok(!sameAnswers(SNAPSHOT, { ...SNAPSHOT, legacy: { ...SNAPSHOT.legacy, "2024-11-05": shorter } }));
  });
});
