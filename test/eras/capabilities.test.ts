import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import {
  advertisedText,
  deleteMeta,
  editObject,
  keptCapabilities,
  keptCapabilitiesText,
  metaText,
  restrictedCapabilitiesText,
  setMeta,
} from "../../lib/eras/capabilities.ts";
import { META } from "../../lib/eras/names.ts";
import { always, named, objects, objectsWith, pairs, textAt, untouched, values } from "../support/texts.ts";

const TASKS = "io.modelcontextprotocol/tasks";
const ASKING = ["elicitation", "sampling", "roots"];
const BOTH = [true, false];

const extensions = objectsWith({ [TASKS]: values });
const clients = objectsWith({
  experimental: values,
  extensions: fc.oneof(extensions, values),
  elicitation: values,
  sampling: values,
  roots: values,
  tasks: values,
});
const lists = fc.oneof(objectsWith({ listChanged: values, subscribe: values }), values);
const servers = objectsWith({
  tools: lists,
  prompts: lists,
  resources: lists,
  completions: values,
  logging: values,
  tasks: values,
  experimental: values,
  extensions: fc.oneof(extensions, values),
});

describe("of a client's capabilities", () => {
  const all = `{ "roots":{"listChanged":true}, "tasks":{}, "future":{}, "sampling":{}, "elicitation":{"url":{}},
    "extensions":{ "${TASKS}":{}, "a/b":{"n":9007199254740993} }, "experimental":{"x":1.0} }`;
  const plain = '{"experimental":{"x":1.0},"extensions":{ "a/b":{"n":9007199254740993} }}';
  const asking = '"elicitation":{"url":{}},"sampling":{},"roots":{"listChanged":true}';

  test("those stay that need no answer, in their own text", () => {
    assert.equal(keptCapabilitiesText(all, false), plain);
  });

  test("those to be asked by stay where the server may ask", () => {
    assert.equal(keptCapabilitiesText(all, true), `${plain.slice(0, -1)},${asking}}`);
  });

  test("the last of two equal ones counts", () => {
    assert.equal(keptCapabilitiesText('{"roots":{"a":1},"roots":{"a":2}}', true), '{"roots":{"a":2}}');
    assert.equal(keptCapabilitiesText('{"roots":{"a":1},"roots":null}', true), "{}");
  });

  test("no other ever comes through, and none of these is changed", () => {
    always(fc.tuple(clients, fc.boolean()), ([text, input]) => {
      const kept = pairs(keptCapabilitiesText(text, input));
      const names = ["experimental", "extensions", ...(input ? ASKING : [])];
      const wanted = names.filter((name) => textAt(text, name)?.startsWith("{"));
      assert.deepEqual(kept.map(([name]) => name).toSorted(), wanted.toSorted());
      for (const [name, value] of kept) {
        const [rule, before] = [{ [TASKS]: null }, textAt(text, name) ?? ""];
        if (name !== "extensions") assert.equal(value, before);
        else assert.deepEqual(pairs(value), untouched(before, rule));
      }
    });
  });

  test("the value and the text are the same choice, for any JSON value", () => {
    always(fc.tuple(fc.oneof(clients, values), fc.boolean()), ([text, input]) => {
      const kept = keptCapabilities(JSON.parse(text), input);
      assert.deepEqual(JSON.parse(keptCapabilitiesText(text, input)), kept);
    });
    assert.deepEqual(keptCapabilities(undefined, true), {});
  });

  test("a modern server is told all, but not of tasks, nor of answers that it will not get", () => {
    assert.equal(restrictedCapabilitiesText(all, true), all.replace(`"${TASKS}":{}, `, ""));
    assert.equal(restrictedCapabilitiesText('{"roots":{},"future":{},"sampling":1}', false), '{"future":{}}');
    always(fc.tuple(clients, fc.boolean()), ([text, input]) => {
      const refused = input ? [] : ASKING.map((name) => [name, null] as const);
      const rule = { ...Object.fromEntries(refused), extensions: { [TASKS]: null } };
      const after = restrictedCapabilitiesText(text, input);
      assert.deepEqual(named(after, rule), []);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      assert.equal(restrictedCapabilitiesText(after, input), after);
    });
  });
});

describe("of a server's capabilities", () => {
  const all = `{ "tools":{"listChanged":true}, "prompts":{"a":1,"listChanged":false},
    "resources":{"subscribe":true,"listChanged":true}, "logging":{}, "tasks":{"list":{}}, "completions":{ },
    "experimental":{"n":9007199254740993}, "extensions":{"${TASKS}":{},"a/b":{}}, "future":1.0 }`;
  const rows: readonly (readonly [what: string, changes: boolean, text: string])[] = [
    [
      "nothing that outlives a request",
      false,
      `{ "tools":{}, "prompts":{"a":1},
    "resources":{}, "logging":{}, "completions":{ },
    "experimental":{"n":9007199254740993}, "extensions":{"a/b":{}}, "future":1.0 }`,
    ],
    [
      "changes where they can be told",
      true,
      all.replace('"tasks":{"list":{}}, ', "").replace(`"${TASKS}":{},`, ""),
    ],
  ];
  for (const [what, changes, text] of rows) {
    test(`it advertises ${what}`, () => assert.equal(advertisedText(all, { changes }), text));
  }

  test("all others stay as they are, and what is gone is gone", () => {
    always(fc.tuple(servers, fc.boolean()), ([text, changes]) => {
      const list = changes ? {} : { listChanged: null, subscribe: null };
      const rule = {
        tools: list,
        prompts: list,
        resources: list,
        tasks: null,
        extensions: { [TASKS]: null },
      };
      const after = advertisedText(text, { changes });
      assert.deepEqual(named(after, rule), []);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      assert.equal(advertisedText(after, { changes }), after);
      JSON.parse(after);
    });
  });

  test("an empty list of features stays an empty list of features", () => {
    const text = '{"tools":{},"prompts":{ },"resources":{"listChanged":true},"extensions":{}}';
    const after = '{"tools":{},"prompts":{ },"resources":{},"extensions":{}}';
    assert.equal(advertisedText(text, { changes: false }), after);
  });

  test("anything else in their place stays as it is", () => {
    always(values, (text) => {
      if (text.startsWith("{")) return;
      for (const changes of BOTH) assert.equal(advertisedText(text, { changes }), text);
    });
  });
});

describe("a member of _meta", () => {
  test("is found in an object only", () => {
    assert.equal(metaText('{"_meta":{"a": 9007199254740993 }}', "a"), "9007199254740993");
    for (const text of ["{}", '{"a":1}', '{"_meta":{}}', '{"_meta":null}', '{"_meta":["a",1]}']) {
      assert.equal(metaText(text, "a"), undefined);
    }
  });

  test("is set beside the others, or in the place of what is no object", () => {
    const rows: readonly (readonly [text: string, after: string])[] = [
      ['{"a":1}', `{"a":1,"_meta":{"${META.serverInfo}":7}}`],
      ['{ "_meta" : { "x":1.0 } }', `{ "_meta" : { "x":1.0 ,"${META.serverInfo}":7} }`],
      [`{"_meta":{"${META.serverInfo}":1}}`, `{"_meta":{"${META.serverInfo}":7}}`],
      ['{"_meta":[1],"a":1}', `{"_meta":{"${META.serverInfo}":7},"a":1}`],
    ];
    for (const [text, after] of rows) assert.equal(setMeta(text, META.serverInfo, "7"), after);
  });

  test("is deleted, and the last one takes _meta with it", () => {
    const rows: readonly (readonly [text: string, after: string])[] = [
      ['{"_meta":{"a":1},"x":1}', '{"x":1}'],
      ['{"_meta":{"b":1,"c":2,"a":1},"x":1}', '{"_meta":{"c":2},"x":1}'],
      ['{"_meta":{},"x":1}', '{"_meta":{},"x":1}'],
      ['{"_meta":["a"],"x":1}', '{"_meta":["a"],"x":1}'],
      ['{"a":1}', '{"a":1}'],
    ];
    for (const [text, after] of rows) assert.equal(deleteMeta(text, ["a", "b"]), after);
  });

  test("that was set and deleted leaves the others as they were", () => {
    const rule = { _meta: { [META.logLevel]: null } };
    always(objectsWith({ _meta: objects }), (text) => {
      const set = setMeta(text, META.logLevel, "1");
      assert.equal(metaText(set, META.logLevel), "1");
      assert.deepEqual(untouched(set, rule), untouched(text, rule));
      assert.deepEqual(untouched(deleteMeta(set, [META.logLevel]), rule), untouched(text, rule));
    });
  });
});

test("an edit of objects leaves anything else alone", () => {
  const edit = (text: string): string => `[${text}]`;
  assert.equal(editObject('{"a": {"b":1} }', "a", edit), '{"a": [{"b":1}] }');
  for (const text of ['{"a":[]}', '{"a":null}', '{"a":"{}"}', '{"b":{}}']) {
    assert.equal(editObject(text, "a", edit), text);
  }
});
