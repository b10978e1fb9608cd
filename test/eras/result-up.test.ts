import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { CACHEABLE, META } from "../../lib/eras/names.ts";
import { wrapSchema } from "../../lib/eras/output-schema.ts";
import {
  advertisedResult,
  discoverResult,
  inputRequiredResult,
  resultTypeOf,
  toDiscoverResult,
  toInitializeResult,
  toLegacyResult,
  toModernResult,
} from "../../lib/eras/result-up.ts";
import {
  always,
  listsOf,
  named,
  objects,
  objectsWith,
  pairs,
  pieces,
  textAt,
  untouched,
  values,
} from "../support/texts.ts";

const SI = META.serverInfo;
const TASKS = "io.modelcontextprotocol/tasks";
const INFO = '{ "name":"s", "version":"1", "n":9007199254740993 }';
const CACHING = { ttlMs: 60_000, cacheScope: "public" } as const;
const HINTS = '"ttlMs":60000,"cacheScope":"public"';
const META_INFO = `"_meta":{"${SI}":${INFO}}`;
const SERVED = '"supportedVersions":["2026-07-28"]';
const ADVERTISED = { changes: false };
const METHODS = [...CACHEABLE, "tools/call", "prompts/get", "completion/complete", "x", "constructor"];

const methods = fc.constantFrom(...METHODS);
const metas = objectsWith({ [SI]: values });
const schemas = fc.oneof(objectsWith({ type: fc.constantFrom('"object"', '"array"', "1") }), values);
const tools = listsOf(fc.oneof(objectsWith({ execution: values, outputSchema: schemas }), values));
const blocks = listsOf(fc.oneof(fc.constant('{"type":"text"}'), values));
const lists = fc.oneof(objectsWith({ listChanged: values, subscribe: values }), values);
const capabilities = objectsWith({
  tools: lists,
  prompts: lists,
  resources: lists,
  logging: values,
  tasks: values,
});
const COMMON = { _meta: metas, resultType: values, ttlMs: values, cacheScope: values } as const;
const results = objectsWith({
  ...COMMON,
  tools: fc.oneof(tools, values),
  structuredContent: values,
  content: fc.oneof(blocks, values),
});
const opened = objectsWith({
  ...COMMON,
  protocolVersion: values,
  supportedVersions: values,
  serverInfo: values,
  capabilities: fc.oneof(capabilities, values),
});
const LIST = { listChanged: null, subscribe: null };
const CAPABILITIES = {
  tools: LIST,
  prompts: LIST,
  resources: LIST,
  tasks: null,
  extensions: { [TASKS]: null },
} as const;

function modern(result: string, method: string, serverInfo: string | undefined = INFO): string {
  return toModernResult(result, { method, serverInfo, caching: CACHING });
}

describe("a legacy server's result for a modern client", () => {
  const rows: readonly (readonly [what: string, method: string, result: string, after: string])[] = [
    [
      "says that it is complete, and whose it is",
      "tools/call",
      '{ "content":[] }',
      `{ "content":[] ,"resultType":"complete",${META_INFO}}`,
    ],
    [
      "keeps its _meta",
      "prompts/get",
      '{"_meta":{ "a":1.0 }}',
      `{"_meta":{ "a":1.0 ,"${SI}":${INFO}},"resultType":"complete"}`,
    ],
    [
      "keeps a name that it has given itself",
      "x",
      `{"_meta":{"${SI}":7}}`,
      `{"_meta":{"${SI}":7},"resultType":"complete"}`,
    ],
    [
      "gets hints where there are such",
      "resources/read",
      "{}",
      `{"resultType":"complete",${HINTS},${META_INFO}}`,
    ],
    [
      "keeps hints that it has",
      "tools/list",
      '{"cacheScope":"private","ttlMs":1}',
      `{"cacheScope":"private","ttlMs":1,"resultType":"complete",${META_INFO}}`,
    ],
    [
      "loses hints that are none",
      "prompts/list",
      '{"cacheScope":"all","ttlMs":-1}',
      `{"cacheScope":"public","ttlMs":60000,"resultType":"complete",${META_INFO}}`,
    ],
    [
      "is not believed to be of another type",
      "x",
      '{"resultType":"input_required"}',
      `{"resultType":"complete",${META_INFO}}`,
    ],
    [
      "lists no tools that run as tasks, and all else as it is written",
      "tools/list",
      `{"tools":[{"execution":{},"name":"a"}, {"name": "b","max":9223372036854775807},7],${HINTS}}`,
      `{"tools":[{"name":"a"}, {"name": "b","max":9223372036854775807},7],${HINTS},"resultType":"complete",${META_INFO}}`,
    ],
    [
      "keeps `tools` of another method",
      "x",
      '{"tools":[{"execution":1}]}',
      `{"tools":[{"execution":1}],"resultType":"complete",${META_INFO}}`,
    ],
  ];
  for (const [what, method, result, after] of rows) {
    test(what, () => assert.equal(modern(result, method), after));
  }

  test("keeps in a list of tools what is none", () => {
    const tools = '"tools":["", ["execution",1], null]';
    const after = `{${tools},"resultType":"complete",${HINTS},${META_INFO}}`;
    assert.equal(modern(`{${tools}}`, "tools/list"), after);
    assert.equal(
      toLegacyResult('{"tools":["", ["outputSchema",{}]]}', "tools/list", false),
      '{"tools":["", ["outputSchema",{}]]}',
    );
  });

  test("has no name where the server has none", () => {
    const details = { method: "x", serverInfo: undefined, caching: CACHING };
    assert.equal(toModernResult("{}", details), '{"resultType":"complete"}');
  });

  test("gets these and nothing else, once", () => {
    always(fc.tuple(results, methods), ([text, method]) => {
      const rule = {
        resultType: null,
        _meta: { [SI]: null },
        ...(CACHEABLE.has(method) && { ttlMs: null, cacheScope: null }),
        ...(method === "tools/list" && { tools: [{ execution: null }] as const }),
      };
      const after = modern(text, method);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      assert.equal(textAt(after, "resultType"), '"complete"');
      assert.equal(named(after, rule).includes("execution"), false);
      assert.equal(modern(after, method), after);
      JSON.parse(after);
    });
  });

  test("has hints of the right kind (2026-07-28/server/utilities/caching)", () => {
    const hints = objectsWith({ ttlMs: fc.oneof(values, fc.nat().map(String)), cacheScope: values });
    always(fc.tuple(hints, fc.constantFrom(...CACHEABLE)), ([text, method]) => {
      const { ttlMs, cacheScope } = JSON.parse(modern(text, method)) as Record<string, unknown>;
      assert.ok(Number.isInteger(ttlMs) && Number(ttlMs) >= 0, String(ttlMs));
      assert.ok(cacheScope === "public" || cacheScope === "private", String(cacheScope));
    });
  });
});

describe("a modern server's result for a legacy client", () => {
  const text = (json: string): string => JSON.stringify({ type: "text", text: json });
  const rows: readonly (readonly [what: string, method: string, result: string, after: string])[] = [
    [
      "has no type and no name",
      "prompts/get",
      `{"resultType":"complete","a": 1.0 ,"_meta":{"${SI}":{},"x":1}}`,
      '{"a": 1.0 ,"_meta":{"x":1}}',
    ],
    ["loses a _meta of which nothing is left", "x", `{"_meta":{"${SI}":{}},"a":1}`, '{"a":1}'],
    ["keeps a _meta that was empty", "x", '{"_meta":{},"a":1}', '{"_meta":{},"a":1}'],
    ["has no hints", "tools/list", '{"tools":[],"ttlMs":1,"cacheScope":"public"}', '{"tools":[]}'],
    [
      "keeps what are hints elsewhere",
      "x",
      '{"ttlMs":1,"cacheScope":"public"}',
      '{"ttlMs":1,"cacheScope":"public"}',
    ],
    [
      "keeps structured content that is an object",
      "tools/call",
      '{"structuredContent":{ "a":1.0 }}',
      '{"structuredContent":{ "a":1.0 }}',
    ],
    ["needs no structured content", "tools/call", '{"content":[]}', '{"content":[]}'],
    [
      "wraps other content, and tells it as text",
      "tools/call",
      '{"structuredContent":[1, 9007199254740993]}',
      `{"structuredContent":{"result":[1, 9007199254740993]},"content":[${text("[1, 9007199254740993]")}]}`,
    ],
    [
      "adds the text to other blocks",
      "tools/call",
      '{"content":[ {"type":"image"} , 1.0],"structuredContent":null}',
      `{"content":[{"type":"image"},1.0,${text("null")}],"structuredContent":{"result":null}}`,
    ],
    [
      "keeps a text that is there",
      "tools/call",
      '{"content":[ {"type":"text","text":"a"} ],"structuredContent":"x"}',
      '{"content":[ {"type":"text","text":"a"} ],"structuredContent":{"result":"x"}}',
    ],
    ["keeps content of another method", "prompts/get", '{"structuredContent":1}', '{"structuredContent":1}'],
    [
      "lists output that is an object, as it is written",
      "tools/list",
      '{"tools":[ {"outputSchema":{ "type":"object" }}, {"name":"b"} ]}',
      '{"tools":[ {"outputSchema":{ "type":"object" }}, {"name":"b"} ]}',
    ],
    [
      "wraps schemas of other output",
      "tools/list",
      '{"tools":[{"outputSchema":{"maximum":9223372036854775807},"n":1.0},{"outputSchema":7}]}',
      `{"tools":[{"outputSchema":${wrapSchema('{"maximum":9223372036854775807}')},"n":1.0},{"outputSchema":7}]}`,
    ],
  ];
  for (const [what, method, result, after] of rows) {
    test(what, () => assert.equal(toLegacyResult(result, method, false), after));
  }

  test("wraps an object too, where its schema was wrapped", () => {
    const result = '{"structuredContent":{"a":1.0},"content":[{"type":"text","text":""}]}';
    const after = '{"structuredContent":{"result":{"a":1.0}},"content":[{"type":"text","text":""}]}';
    assert.equal(toLegacyResult(result, "tools/call", true), after);
  });

  test("changes in these and nothing else", () => {
    always(fc.tuple(results, methods, fc.boolean()), ([text, method, wrapped]) => {
      const rule = {
        resultType: null,
        _meta: { [SI]: null },
        ...(CACHEABLE.has(method) && { ttlMs: null, cacheScope: null }),
        ...(method === "tools/list" && { tools: [{ outputSchema: null }] as const }),
        ...(method === "tools/call" && { structuredContent: null, content: null }),
      };
      const after = toLegacyResult(text, method, wrapped);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      const gone = new Set(["resultType", SI, "ttlMs", "cacheScope"]);
      assert.deepEqual(
        named(after, rule).filter((name) => gone.has(name)),
        [],
      );
      JSON.parse(after);
    });
  });

  test("has structured content that is an object, and each block that it had", () => {
    always(fc.tuple(results, fc.boolean()), ([text, wrapped]) => {
      const after = toLegacyResult(text, "tools/call", wrapped);
      const [before, now] = [textAt(text, "structuredContent"), textAt(after, "structuredContent")];
      if (before !== undefined) assert.ok(now === before || now === `{"result":${before}}`);
      if (now !== undefined) assert.ok(now.startsWith("{"), now);
      const [content, all] = [textAt(text, "content"), textAt(after, "content") ?? "[]"];
      if (content?.startsWith("["))
        assert.deepEqual(pieces(all).slice(0, pieces(content).length), pieces(content));
      else if (content !== undefined) assert.equal(all, content);
    });
  });

  test("is legacy once and for all, but for wrapped content", () => {
    const others = methods.filter((method) => method !== "tools/call");
    always(fc.tuple(results, others), ([text, method]) => {
      const after = toLegacyResult(text, method, false);
      assert.equal(toLegacyResult(after, method, false), after);
    });
    always(results, (text) => {
      const after = toLegacyResult(text, "tools/call", false);
      assert.equal(toLegacyResult(after, "tools/call", false), after);
    });
  });

  test("is what a legacy server gave to a modern client", () => {
    const bare = objectsWith({ _meta: objects });
    always(fc.tuple(bare, methods), ([text, method]) => {
      const hints = { resultType: null, ttlMs: null, cacheScope: null, _meta: {} };
      const after = toLegacyResult(modern(text, method), method, false);
      assert.deepEqual(untouched(after, hints), untouched(text, hints));
    });
  });
});

describe("an InitializeResult as DiscoverResult", () => {
  test("has the revisions, the name and the hints of that, and all else of the server's own", () => {
    const initialized = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"tasks":{}},"serverInfo":${INFO},"instructions":"\\u00e9"}`;
    assert.equal(
      toDiscoverResult(initialized, CACHING, ADVERTISED),
      `{"capabilities":{"tools":{}},"instructions":"\\u00e9",${SERVED},"resultType":"complete",${HINTS},${META_INFO}}`,
    );
  });

  test("loses nothing else", () => {
    const rule = {
      ...{ protocolVersion: null, serverInfo: null, supportedVersions: null, resultType: null, ttlMs: null },
      ...{ cacheScope: null, _meta: { [SI]: null }, capabilities: CAPABILITIES },
    };
    always(opened, (text) => {
      const after = toDiscoverResult(text, CACHING, ADVERTISED);
      const added = textAt(text, "capabilities") === undefined ? [["capabilities", []]] : [];
      assert.deepEqual(untouched(after, rule), [...untouched(text, rule), ...added]);
      assert.equal(textAt(after, "supportedVersions"), '["2026-07-28"]');
      assert.deepEqual(named(after, { capabilities: CAPABILITIES }), []);
      JSON.parse(after);
    });
  });

  test("has the members that its client needs, whatever the server said (2026-07-28/schema, DiscoverResult)", () => {
    for (const initialized of ["{}", "null", "[]"]) {
      const result = JSON.parse(toDiscoverResult(initialized, CACHING, ADVERTISED)) as object;
      for (const name of ["supportedVersions", "capabilities", "resultType", "ttlMs", "cacheScope"]) {
        assert.ok(name in result, `${name} after ${initialized}`);
      }
    }
  });
});

describe("a DiscoverResult", () => {
  test("names the revisions and capabilities that are served here, and is else as received", () => {
    assert.equal(
      discoverResult(
        '{ "supportedVersions":["2027-01-01"], "capabilities":{"tasks":{},"logging":{}}, "ttlMs": 1 }',
        {
          changes: true,
        },
      ),
      '{ "supportedVersions":["2026-07-28"], "capabilities":{"logging":{}}, "ttlMs": 1 }',
    );
    const rule = { supportedVersions: null, capabilities: CAPABILITIES };
    always(opened, (text) => {
      const after = discoverResult(text, ADVERTISED);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      assert.equal(discoverResult(after, ADVERTISED), after);
    });
  });

  test("as InitializeResult has what a handshake tells", () => {
    const discovered = `{"resultType":"complete",${SERVED},"capabilities":{"prompts":{"listChanged":true}},${META_INFO},"instructions":"a","ttlMs":1,"cacheScope":"public"}`;
    assert.equal(
      toInitializeResult(discovered, "2025-06-18", ADVERTISED),
      `{"capabilities":{"prompts":{}},"instructions":"a","protocolVersion":"2025-06-18","serverInfo":${INFO}}`,
    );
    assert.equal(
      toInitializeResult("{}", "2025-11-25", ADVERTISED),
      '{"protocolVersion":"2025-11-25","serverInfo":{"name":"unknown","version":"0"},"capabilities":{}}',
    );
  });

  test("as InitializeResult loses nothing else", () => {
    const rule = {
      ...{ supportedVersions: null, resultType: null, ttlMs: null, cacheScope: null, _meta: { [SI]: null } },
      ...{ protocolVersion: null, serverInfo: null, capabilities: CAPABILITIES },
    };
    always(opened, (text) => {
      const after = toInitializeResult(text, "2025-11-25", ADVERTISED);
      const added = textAt(text, "capabilities") === undefined ? [["capabilities", []]] : [];
      assert.deepEqual(untouched(after, rule), [...untouched(text, rule), ...added]);
      assert.equal(textAt(after, "protocolVersion"), '"2025-11-25"');
      JSON.parse(after);
    });
  });

  test("as InitializeResult names an implementation in any case (2025-11-25/schema, InitializeResult)", () => {
    for (const info of ["null", "7", '"a"', "[]", "{}", '{"name":"a"}']) {
      const after = toInitializeResult(`{"_meta":{"${SI}":${info}}}`, "2025-11-25", ADVERTISED);
      const { serverInfo } = JSON.parse(after) as { serverInfo: Readonly<Record<string, unknown>> | null };
      assert.equal(typeof serverInfo?.["name"], "string", info);
      assert.equal(typeof serverInfo?.["version"], "string", info);
    }
  });
});

test("capabilities of any result are edited, and nothing beside them", () => {
  const rule = { capabilities: CAPABILITIES };
  always(opened, (text) => {
    const after = advertisedResult(text, ADVERTISED);
    assert.deepEqual(untouched(after, rule), untouched(text, rule));
    assert.deepEqual(named(after, rule), []);
    if (named(text, rule).length === 0) assert.equal(after, text);
  });
});

describe("any JSON value in the place of a result is no reason to throw", () => {
  const translations: readonly (readonly [name: string, translate: (text: string) => string])[] = [
    ...METHODS.map((method): [string, (text: string) => string] => [
      `toModernResult of ${method}`,
      (text) => modern(text, method),
    ]),
    ...METHODS.map((method): [string, (text: string) => string] => [
      `toLegacyResult of ${method}`,
      (text) => toLegacyResult(text, method, true),
    ]),
    ["toDiscoverResult", (text) => toDiscoverResult(text, CACHING, ADVERTISED)],
    ["discoverResult", (text) => discoverResult(text, ADVERTISED)],
    ["toInitializeResult", (text) => toInitializeResult(text, "2025-11-25", ADVERTISED)],
    ["advertisedResult", (text) => advertisedResult(text, ADVERTISED)],
  ];
  const places = ["_meta", "tools", "capabilities", "structuredContent", "content", "serverInfo"];
  for (const [name, translate] of translations) {
    test(`${name} gives JSON`, () => always(values, (text) => void JSON.parse(translate(text))));

    test(`${name} gives JSON, whatever its members are`, () => {
      always(fc.tuple(fc.constantFrom(...places), values), ([place, text]) => {
        JSON.parse(translate(`{"${place}":${text}}`));
      });
    });
  }

  test("what is no object is passed on as it is", () => {
    for (const text of ["null", "7", '"a"', "[]", '[{"resultType":1}]']) {
      assert.equal(modern(text, "tools/list"), text);
      assert.equal(toLegacyResult(text, "tools/list", true), text);
      assert.equal(advertisedResult(text, ADVERTISED), text);
    }
  });
});

describe("a result that asks for input", () => {
  test("has the questions as they are written, a state and the server's name", () => {
    const question = '{"method":"roots/list", "n":9007199254740993}';
    assert.equal(
      inputRequiredResult(
        [
          ["q0", question],
          ['a"b', "{}"],
        ],
        's"',
        INFO,
      ),
      `{"resultType":"input_required","inputRequests":{"q0":${question},"a\\"b":{}},"requestState":"s\\"",${META_INFO}}`,
    );
  });

  test("has no state and no name where there is none", () => {
    assert.equal(
      inputRequiredResult([], undefined, undefined),
      '{"resultType":"input_required","inputRequests":{}}',
    );
  });

  test("is JSON for any questions, in their order", () => {
    always(
      fc.tuple(
        fc.array(
          fc.tuple(
            fc.string().filter((key) => !key.startsWith("\\")),
            objects,
          ),
        ),
        fc.string(),
      ),
      ([questions, state]) => {
        const result = inputRequiredResult(questions, state, undefined);
        assert.deepEqual(pairs(textAt(result, "inputRequests") ?? ""), questions);
        assert.equal((JSON.parse(result) as { requestState: string }).requestState, state);
      },
    );
  });
});

test("a result without a type is complete (2026-07-28/basic, ResultType)", () => {
  for (const result of [{}, { resultType: null }, undefined, null, [], "input_required"]) {
    assert.equal(resultTypeOf(result), "complete");
  }
  assert.equal(resultTypeOf({ resultType: "input_required" }), "input_required");
  assert.equal(resultTypeOf({ resultType: 7 }), 7);
});
