import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import {
  deleteMember,
  editElements,
  editMember,
  elements,
  isLongerThan,
  memberText,
  members,
  setMember,
} from "../lib/rawjson.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

describe("members", () => {
  test("are found in order, with decoded keys and the text of their values", () => {
    const text = ' { "a" : 1 ,"b":[1,{"c":"}"}] , "\\u0063\\n\\"" :"x,\\"}" } ';
    assert.deepEqual(
      members(text).map(({ key, start, end }) => [key, text.slice(start, end)]),
      [
        ["a", "1"],
        ["b", '[1,{"c":"}"}]'],
        ['c\n"', '"x,\\"}"'],
      ],
    );
  });

  test("that stand there twice are found twice", () => {
    assert.deepEqual(
      members('{"a":1,"\\u0061":2}').map(({ key }) => key),
      ["a", "a"],
    );
  });

  for (const text of ["{}", " { } ", "\t{\r\n}\n"]) {
    test(`are none in ${JSON.stringify(text)}`, () => assert.deepEqual(members(text), []));
  }
});

describe("elements", () => {
  const rows: readonly (readonly [text: string, found: readonly string[]])[] = [
    ["[]", []],
    [" [ ] ", []],
    ["[1]", ["1"]],
    ['[ {"a":[1,2]} , "],\\"" ,\n-1.5e+3,null ]', ['{"a":[1,2]}', '"],\\""', "-1.5e+3", "null"]],
    ["[9007199254740993,[[]],{}]", ["9007199254740993", "[[]]", "{}"]],
    ['["\\\\","\\\\\\""]', ['"\\\\"', '"\\\\\\""']],
  ];
  for (const [text, found] of rows) {
    test(`of ${text.replaceAll("\n", " ")} keep their text`, () => assert.deepEqual(elements(text), found));
  }
});

describe("isLongerThan", () => {
  const indents = fc.constantFrom(undefined, 1, "\t");

  test("counts the elements of an array, and of none within it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.integer({ min: 1, max: 12 }),
        indents,
        (array, limit, indent) => {
          const text = JSON.stringify(array, undefined, indent);
          assert.equal(isLongerThan(text, limit), JSON.parse(text).length > limit, text);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("comes to an end with any text", () => {
    const token = fc.constantFrom("[", "]", "{", "}", ",", '"', "\\", "1", " ", '\\"', "\n");
    const text = fc.oneof(
      fc.string(),
      fc.array(token).map((tokens) => tokens.join("")),
    );
    fc.assert(
      fc.property(text, fc.nat(12), (tail, limit) => {
        assert.equal(typeof isLongerThan(`[${tail}`, limit), "boolean");
        assert.equal(typeof isLongerThan(tail, limit), "boolean");
      }),
      { numRuns: 5000 },
    );
  });
});

describe("memberText", () => {
  const rows: readonly (readonly [text: string, key: string, found: string | undefined])[] = [
    ['{"id":9007199254740993}', "id", "9007199254740993"],
    ['{"id": -0.0 }', "id", "-0.0"],
    ['{"id":1,"id":2}', "id", "2"],
    ['{"\\u0069d":"\\u0041"}', "id", '"\\u0041"'],
    ['{"params":{"id":1}}', "id", undefined],
    ['{"a":"\\"id\\":1"}', "id", undefined],
    ['{"a":"\\\\","id":true}', "id", "true"],
    ['{"__proto__":{"a":1}}', "__proto__", '{"a":1}'],
    ["{}", "id", undefined],
    ["{}", "constructor", undefined],
  ];
  for (const [text, key, found] of rows) {
    test(`of ${key} in ${text} is ${found}`, () => assert.equal(memberText(text, key), found));
  }
});

describe("setMember", () => {
  const rows: readonly (readonly [text: string, key: string, result: string])[] = [
    ["{}", "a", '{"a":7}'],
    ["{ }", "a", '{ "a":7}'],
    [" { } \n", "a", ' { "a":7} \n'],
    ['{"b":1}', "a", '{"b":1,"a":7}'],
    ['{"b":"}"}', "a", '{"b":"}","a":7}'],
    ['{"a":1}', "a", '{"a":7}'],
    ['{ "a" : [1, 2] , "b":9007199254740993 }', "a", '{ "a" : 7 , "b":9007199254740993 }'],
    ['{"a":1,"a":2}', "a", '{"a":1,"a":7}'],
    ['{"\\u0061":1}', "a", '{"\\u0061":7}'],
    ['{"x":{"a":1}}', "a", '{"x":{"a":1},"a":7}'],
    ["{}", 'q"\n', '{"q\\"\\n":7}'],
  ];
  for (const [text, key, result] of rows) {
    test(`in ${JSON.stringify(text)} touches nothing but the value`, () => {
      assert.equal(setMember(text, key, "7"), result);
    });
  }
});

describe("deleteMember", () => {
  const rows: readonly (readonly [text: string, result: string])[] = [
    ["{}", "{}"],
    ['{"b":1}', '{"b":1}'],
    ['{"a":1}', "{}"],
    ['{ "a" : 1 }', "{  }"],
    ['{"a":1,"b":2}', '{"b":2}'],
    ['{"b":2,"a":1}', '{"b":2}'],
    ['{"b": 2 , "a": 1 , "c": 3}', '{"b": 2 , "c": 3}'],
    ['{"b":2 , "a":1 }', '{"b":2 }'],
    ['{"a":1,"b":2,"a":3}', '{"b":2}'],
    ['{"a":1,"a":2,"a":3}', "{}"],
    ['{"\\u0061":{"a":[1,"}"]},"x":{"a":9007199254740993}}', '{"x":{"a":9007199254740993}}'],
  ];
  for (const [text, result] of rows) {
    test(`from ${text} leaves the rest as it was`, () => assert.equal(deleteMember(text, "a"), result));
  }
});

describe("editMember", () => {
  test("passes the text of the value through", () => {
    const edited = editMember('{"a": {"n":1.0} ,"b":1e2}', "a", (value) => `[${value}]`);
    assert.equal(edited, '{"a": [{"n":1.0}] ,"b":1e2}');
  });

  test("gives the same text back when the value stays or is not there", () => {
    const text = '{ "a":1, "a":2 }';
    assert.equal(
      editMember(text, "a", (value) => value),
      text,
    );
    assert.equal(
      editMember(text, "b", () => assert.fail("there is nothing to edit")),
      text,
    );
  });
});

describe("editElements", () => {
  const rows: readonly (readonly [text: string, result: string])[] = [
    ["[]", "[]"],
    [" [ ] ", " [ ] "],
    ["[1]", "[]"],
    ["[ 1 ]", "[  ]"],
    ["[1, 2]", "[<2>]"],
    ["[ 2 , 1 ]", "[ <2> ]"],
    ["[2 ,1,\t3 , 1]", "[<2> ,<3>]"],
    ["[1,1 , 2, 1,3\n]", "[<2>, <3>\n]"],
  ];
  for (const [text, result] of rows) {
    test(`of ${JSON.stringify(text)} leaves out what is named, and changes the rest`, () => {
      assert.equal(
        editElements(text, (element) => (element === "1" ? undefined : `<${element}>`)),
        result,
      );
    });
  }
});

test("ten thousand random objects are edited as JSON.parse would have it", () => {
  const random = generator(20_251_125);
  for (let round = 0; round < 10_000; round += 1) {
    const text = randomObject(random, 3);
    const object = JSON.parse(text) as Record<string, Json>;
    const key = pick(random, KEYS);
    const value = randomValue(random, 2);
    const { [key]: _deleted, ...others } = object;
    const context = `round ${round}: ${key} in ${text}`;
    assert.deepEqual(
      JSON.parse(setMember(text, key, value)),
      { ...object, [key]: JSON.parse(value) },
      context,
    );
    assert.deepEqual(JSON.parse(deleteMember(text, key)), others, context);
    const edited = key in object ? { ...object, [key]: [object[key]] } : object;
    assert.deepEqual(JSON.parse(editMember(text, key, (old) => `[${old}]`)), edited, context);
    assert.equal(
      setMember(text, key, memberText(text, key) ?? "0").startsWith(text.slice(0, 1)),
      true,
      context,
    );
    assert.deepEqual(
      elements(`[${text},${value}]`).map((element) => JSON.parse(element) as Json),
      [object, JSON.parse(value)],
      context,
    );
    const list = `[${text},${value},${text}]`;
    const keeps = [random() < 0.5, random() < 0.5, random() < 0.5];
    let at = 0;
    const kept = editElements(list, (element) => (keeps[at++] ? element : undefined));
    assert.deepEqual(
      JSON.parse(kept),
      (JSON.parse(list) as Json[]).filter((_, index) => keeps[index]),
      context,
    );
  }
});

// No key begins with a backslash: JSON.parse of Node 24 then misreads other escaped keys (nodejs/node#63785).
const KEYS = ["a", "b", "id", "", '"', "a\\", "}", "{[,:", "é", "😀", "\u2028", "\n"];
const STRINGS = ["", '"', "\\", '\\"', "}]{[", ",", ":", "é😀", "\u2028", "/*", "a\tb"];
const NUMBERS = ["0", "-0", "1.50", "1e2", "-1E-7", "9007199254740993", "123456789012345678901234567890"];
const SPACES = ["", "", "", " ", "\n", "\t \r\n"];

/** Mulberry32: the same numbers at every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<Value>(random: () => number, values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)]!;
}

function randomValue(random: () => number, depth: number): string {
  const kind = Math.floor(random() * (depth > 0 ? 5 : 3));
  if (kind === 0) return pick(random, NUMBERS);
  if (kind === 1) return randomString(random, pick(random, STRINGS));
  if (kind === 2) return pick(random, ["true", "false", "null"]);
  if (kind === 3) return randomObject(random, depth - 1);
  return spaced(random, "[", ["", "1", "2"].slice(Math.floor(random() * 3), 2), "]", depth);
}

function randomObject(random: () => number, depth: number): string {
  const keys = Array.from({ length: Math.floor(random() * 5) }, () => pick(random, KEYS));
  const pairs = keys.map((key) => {
    const space = pick(random, SPACES);
    return `${randomString(random, key)}${space}:${pick(random, SPACES)}${randomValue(random, depth)}`;
  });
  const body = pairs.map((pair) => pick(random, SPACES) + pair + pick(random, SPACES)).join(",");
  return `${pick(random, SPACES)}{${body}${pick(random, SPACES)}}${pick(random, SPACES)}`;
}

function spaced(
  random: () => number,
  open: string,
  slots: readonly string[],
  close: string,
  depth: number,
): string {
  const values = slots.map(
    () => pick(random, SPACES) + randomValue(random, depth - 1) + pick(random, SPACES),
  );
  return `${open}${values.join(",")}${pick(random, SPACES)}${close}`;
}

/** As JSON.stringify writes it, or with every UTF-16 unit escaped. */
function randomString(random: () => number, value: string): string {
  if (random() < 0.7) return JSON.stringify(value);
  const units = Array.from({ length: value.length }, (_, at) => value.charCodeAt(at));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
}
