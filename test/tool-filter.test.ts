import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import type { ToolFilter } from "../lib/configuration/options.ts";
import type { Message, RequestValue } from "../lib/jsonrpc.ts";
import { createToolFilter } from "../lib/tool-filter.ts";
import { always, listsOf, objectsWith, pieces, textAt, untouched, values } from "./support/texts.ts";

const READERS = createToolFilter({ allow: ["get_*", "list_*"], deny: ["*_secret"] });

describe("a tool is visible", () => {
  const rows: readonly (readonly [filter: ToolFilter | undefined, visible: string, hidden: string])[] = [
    [undefined, "a,delete_a", ""],
    [{}, "a,delete_a", ""],
    [{ deny: [] }, "a,delete_a", ""],
    [{ allow: [] }, "", "a,delete_a"],
    [{ allow: ["a"] }, "a", "A,ab,delete_a"],
    [{ allow: ["a", "b*"] }, "a,b,bc", "ab,c"],
    [{ deny: ["delete_*"] }, "a,DELETE_a,undelete_a", "delete_,delete_a"],
    [{ allow: ["get_*"], deny: ["*_secret"] }, "get_a", "get_secret,a_secret,a"],
    [{ allow: ["a"], deny: ["*"] }, "", "a,b"],
  ];
  for (const [config, visible, hidden] of rows) {
    test(`by ${JSON.stringify(config)}: ${visible || "none"}, and not: ${hidden || "none"}`, () => {
      const { allows } = createToolFilter(config);
      const [seen, unseen] = [visible, hidden].map((names) => names.split(",").filter(Boolean));
      assert.deepEqual(
        seen?.filter((name) => !allows(name)),
        [],
      );
      assert.deepEqual(
        unseen?.filter((name) => allows(name)),
        [],
      );
    });
  }

  test("only under a name that is a text, as soon as there is a filter", () => {
    const { allows } = createToolFilter({ allow: ["*"] });
    for (const name of [undefined, null, 1, true, ["a"], { a: 1 }]) assert.equal(allows(name), false);
    assert.equal(allows(""), true);
  });
});

describe("a pattern that fits no tool", () => {
  /** The patterns that are reported after each of the results. */
  function reported(filter: ToolFilter, ...results: readonly string[]): string[] {
    const useless: string[] = [];
    const { listed } = createToolFilter(filter, (pattern) => useless.push(pattern));
    return results.map((result) => {
      listed(result);
      return useless.splice(0).join();
    });
  }
  const [a, b] = ['{"tools":[{"name":"get_a"},{"name":"put_b"}]}', '{"tools":[{"name":"drop_c"}]}'];
  const rows: readonly (readonly [
    what: string,
    filter: ToolFilter,
    results: readonly string[],
    told: readonly string[],
  ])[] = [
    [
      "is reported once, allowed or denied",
      { allow: ["got_*", "get_*"], deny: ["pt_*"] },
      [a, a],
      ["got_*,pt_*", ""],
    ],
    [
      "is none if it fits a tool that another one hides",
      { allow: ["*_a"], deny: ["get_*", "put_*"] },
      [a],
      [""],
    ],
    [
      "is not known before the last page",
      { deny: ["drop_*", "x"] },
      [a.replace("}]}", '}],"nextCursor":"c"}'), b],
      ["", "x"],
    ],
    [
      "is not known of a server without tools",
      { deny: ["x"] },
      ['{"tools":[]}', "{}", "1", a],
      ["", "", "", "x"],
    ],
    ["has fitted once, and may fit no more", { deny: ["drop_*"] }, [b, a], ["", ""]],
    ["fits no tool without a name", { deny: ["*"] }, ['{"tools":[1,{"name":2}]}'], ["*"]],
  ];
  for (const [what, filter, results, told] of rows) {
    test(what, () => assert.deepEqual(reported(filter, ...results), told));
  }
});

describe("a list of tools", () => {
  const rows: readonly (readonly [what: string, result: string, listed: string])[] = [
    ["without hidden ones", '{ "tools" : [ {"name":"get_a"} ] }', '{ "tools" : [ {"name":"get_a"} ] }'],
    ["with one in front", '{"tools":[ {"name":"x"} , {"name":"get_a"} ]}', '{"tools":[ {"name":"get_a"} ]}'],
    [
      "with one at its end",
      '{"tools":[ {"name":"get_a"} , {"name":"x"} ]}',
      '{"tools":[ {"name":"get_a"} ]}',
    ],
    [
      "with one in between",
      '{"tools":[{"name":"get_a","n":1.0}, {"name":"x"} ,\t{"name":"list_a"}],"nextCursor":"c"}',
      '{"tools":[{"name":"get_a","n":1.0}, {"name":"list_a"}],"nextCursor":"c"}',
    ],
    ["with nothing else", '{"tools":[ {"name":"x"} ],"nextCursor":"c"}', '{"tools":[  ],"nextCursor":"c"}'],
    [
      "under an escaped name",
      '{"tools":[{"na\\u006de":"\\u0067et_a"}]}',
      '{"tools":[{"na\\u006de":"\\u0067et_a"}]}',
    ],
    ["with what is no tool", '{"tools":[1,{},{"name":1},[{"name":"get_a"}],"get_a"]}', '{"tools":[]}'],
    ["that is none", '{"tools":{"name":"x"}}', '{"tools":{"name":"x"}}'],
    ["that is missing", '{"nextCursor":"c"}', '{"nextCursor":"c"}'],
    ["in a result that is no object", '["tools"]', '["tools"]'],
  ];
  for (const [what, result, listed] of rows) {
    test(`${what} keeps every other byte`, () => assert.equal(READERS.listed(result), listed));
  }

  const name = fc.constantFrom('"get_a"', '"\\u0067et_b"', '"delete_a"', '"get_secret"', "1", '"get_\u2028"');
  const tool = fc.oneof({ arbitrary: objectsWith({ name }), weight: 4 }, values);
  const result = objectsWith({ tools: listsOf(tool) });

  test("has the visible tools in their order and their text, whatever the list", () => {
    always(result, (text) => {
      const listed = READERS.listed(text);
      assert.deepEqual(untouched(listed, { tools: null }), untouched(text, { tools: null }));
      const before = pieces(textAt(text, "tools") ?? "[]");
      assert.deepEqual(pieces(textAt(listed, "tools") ?? "[]"), before.filter(isVisible));
      assert.doesNotThrow(() => JSON.parse(listed) as unknown);
      assert.equal(READERS.listed(listed), listed);
    });
  });

  function isVisible(text: string): boolean {
    const { name: found } = Object(JSON.parse(text)) as { name?: unknown };
    return typeof found === "string" && /^get_(?!secret$)/.test(found) && text.startsWith("{");
  }

  test("is looked for in answers to tools/list alone", () => {
    const answer = '{"id":1,"result":{"tools":[{"name":"x"}]}}';
    assert.equal(READERS.shown("tools/list", answer), '{"id":1,"result":{"tools":[]}}');
    assert.equal(READERS.shown("prompts/list", answer), answer);
    const error = '{"id":1,"error":{"code":1,"message":"tools"}}';
    assert.equal(READERS.shown("tools/list", error), error);
  });
});

describe("a call", () => {
  const message = (text: string): Message<RequestValue> => ({
    text,
    value: JSON.parse(text) as RequestValue,
  });
  const refused = (params: string) =>
    READERS.refusal(message(`{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call"${params}}`));
  const unknown = (name: string) =>
    `{"jsonrpc":"2.0","id":9007199254740993,"error":{"code":-32602,"message":"Unknown tool: ${name}"}}`;

  test("of a hidden tool is refused as that of a tool which does not exist, under the raw id", () => {
    assert.equal(refused(',"params":{"name":"delete_a"}'), unknown("delete_a"));
    assert.equal(refused(',"params":{"name":"no {name} \\"such"}'), unknown('no {name} \\"such'));
    assert.equal(refused(`,"params":{"name":"${"x".repeat(200)}"}`), unknown(`${"x".repeat(128)}…`));
  });

  for (const params of ["", ',"params":{}', ',"params":{"name":1}', ',"params":{"name":["get_a"]}']) {
    test(`of nothing is refused: ${params || "no params"}`, () =>
      assert.equal(refused(params), unknown("(none)")));
  }

  test("of a visible tool is not, nor is anything else", () => {
    assert.equal(refused(',"params":{"name":"get_a"}'), undefined);
    const prompt = message('{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"x"}}');
    assert.equal(READERS.refusal(prompt), undefined);
    const unfiltered = createToolFilter();
    assert.equal(unfiltered.refusal(message('{"jsonrpc":"2.0","id":1,"method":"tools/call"}')), undefined);
  });
});
