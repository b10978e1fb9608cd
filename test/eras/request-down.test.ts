import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { META } from "../../lib/eras/names.ts";
import {
  modernRequestText,
  requestText,
  salientText,
  toInitializeRequest,
  toLegacyRequest,
  toModernRequest,
  toModernServer,
  withInputResponses,
  withRequestState,
} from "../../lib/eras/request-down.ts";
import type { Message, RequestValue } from "../../lib/jsonrpc.ts";
import { effortOf } from "../support/effort.ts";
import { always, named, objects, objectsWith, pairs, textAt, untouched, values } from "../support/texts.ts";

const { protocolVersion: PV, clientInfo: CI, clientCapabilities: CC, logLevel: LL } = META;
const TASKS = "io.modelcontextprotocol/tasks";
const CLIENT = { clientInfo: { name: "é", version: "1" }, capabilities: { experimental: { x: 1 } } };
const INFO = '{"name":"é","version":"1"}';
const ENVELOPE = `"${PV}":"2026-07-28","${CI}":${INFO},"${CC}":{"experimental":{"x":1}}`;
/** A legacy client hears log messages without asking for any. */
const LOUD = `${ENVELOPE},"${LL}":"debug"`;

const capabilities = objectsWith({
  elicitation: values,
  sampling: values,
  roots: values,
  experimental: values,
  extensions: fc.oneof(objectsWith({ [TASKS]: values }), values),
});
const metas = objectsWith({ [PV]: values, [CI]: values, [CC]: fc.oneof(capabilities, values), [LL]: values });
const parameters = objectsWith({ _meta: metas, inputResponses: values, requestState: values, task: values });
const requests = messages(parameters);
/** No retries, and no tasks: others than these may follow, and are left out by what comes after. */
const plain = messages(objectsWith({ _meta: objects }).filter((text) => textAt(text, "task") === undefined));

function messages(params: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return objectsWith({
    jsonrpc: fc.constant('"2.0"'),
    id: values,
    method: fc.constant('"tools/call"'),
    params,
  });
}

function message(text: string): Message<RequestValue> {
  return { text, value: JSON.parse(text) as RequestValue };
}

const RULES = {
  toLegacyRequest: {
    params: {
      inputResponses: null,
      requestState: null,
      task: null,
      _meta: { [PV]: null, [CI]: null, [CC]: null, [LL]: null },
    },
  },
  toModernRequest: { params: { _meta: { [PV]: null, [CI]: null, [CC]: null, [LL]: null } } },
  toModernServer: {
    params: {
      _meta: { [CC]: { elicitation: null, sampling: null, roots: null, extensions: { [TASKS]: null } } },
    },
  },
  toModernAsking: { params: { _meta: { [CC]: { extensions: { [TASKS]: null } } } } },
} as const;

describe("a modern request for a legacy server", () => {
  const rows: readonly (readonly [what: string, text: string, after: string])[] = [
    [
      "loses the envelope, and _meta with it",
      `{"id":1,"params":{"name":"a","_meta":{${ENVELOPE},"${LL}":"info"}}}`,
      '{"id":1,"params":{"name":"a"}}',
    ],
    [
      "keeps what else is in _meta, as it is written",
      `{"id":1,"params":{ "_meta" : { "progressToken":9007199254740993 , "${PV}":"x", "a/b": 1.0 } }}`,
      '{"id":1,"params":{ "_meta" : { "progressToken":9007199254740993 , "a/b": 1.0 } }}',
    ],
    [
      "loses what a retry adds",
      '{"params":{"requestState":"a","x":1,"inputResponses":{}}}',
      '{"params":{"x":1}}',
    ],
    [
      "loses what asks for a task",
      '{"params":{"task":{"ttl":1},"x":{"task":1}}}',
      '{"params":{"x":{"task":1}}}',
    ],
    ["keeps a _meta that was empty", '{"params":{"_meta":{}}}', '{"params":{"_meta":{}}}'],
    ["keeps the same names at other places", `{"${PV}":1,"params":{"a":{"_meta":{"${PV}":1}}}}`, ""],
    ["keeps the place of _meta whatever stands there", `{"params":{"_meta":["${PV}"]}}`, ""],
    ["needs no parameters", '{ "id":1, "method":"a" }', ""],
    [
      "finds keys that are written with escapes",
      '{"params":{"request\\u0053tate":1,"\\u005fmeta":{"a":1}}}',
      '{"params":{"\\u005fmeta":{"a":1}}}',
    ],
  ];
  for (const [what, text, after] of rows) {
    test(what, () => assert.equal(toLegacyRequest(text, "tools/call"), after || text));
  }

  test("keeps members of those names where the specification does not know the method", () => {
    const text = '{"params":{"task":"x","requestState":1,"inputResponses":2}}';
    assert.equal(toLegacyRequest(text, "acme/run"), text);
  });

  test("loses that and nothing else, once", () => {
    always(requests, (text) => {
      const after = toLegacyRequest(text, "tools/call");
      assert.deepEqual(named(after, RULES.toLegacyRequest), []);
      assert.deepEqual(untouched(after, RULES.toLegacyRequest), untouched(text, RULES.toLegacyRequest));
      assert.equal(toLegacyRequest(after, "tools/call"), after);
      JSON.parse(after);
    });
  });
});

describe("a legacy request for a modern server", () => {
  const rows: readonly (readonly [what: string, text: string, after: string])[] = [
    ["gets parameters for the envelope", '{"id":1}', `{"id":1,"params":{"_meta":{${LOUD}}}}`],
    ["keeps its parameters", '{"params":{ "a":1.0 }}', `{"params":{ "a":1.0 ,"_meta":{${LOUD}}}}`],
    ["keeps its _meta", '{"params":{"_meta":{"a":1}}}', `{"params":{"_meta":{"a":1,${LOUD}}}}`],
    [
      "cannot speak for another client",
      `{"params":{"_meta":{"${CI}":{"name":"x"},"${CC}":{"roots":{}},"${PV}":"2027-01-01","${LL}":"error"}}}`,
      `{"params":{"_meta":{"${CI}":${INFO},"${CC}":{"experimental":{"x":1}},"${PV}":"2026-07-28","${LL}":"debug"}}}`,
    ],
  ];
  for (const [what, text, after] of rows) {
    test(what, () => assert.equal(toModernRequest(text, CLIENT), after));
  }

  test("gets the envelope and nothing else, once", () => {
    always(requests, (text) => {
      const after = toModernRequest(text, CLIENT);
      const [before, rest] = [text, after].map((request) => untouched(request, RULES.toModernRequest));
      const added = textAt(text, "params") === undefined ? [["params", []]] : [];
      assert.deepEqual(rest, [...(before ?? []), ...added]);
      assert.deepEqual(named(after, RULES.toModernRequest).toSorted(), [CC, CI, LL, PV]);
      assert.equal(toModernRequest(after, CLIENT), after);
      JSON.parse(after);
    });
  });

  test("that is made legacy again has the parameters that it had", () => {
    always(plain, (text) => {
      const after = toLegacyRequest(toModernRequest(text, CLIENT), "tools/call");
      const rule = { params: { _meta: {} } };
      if (textAt(text, "params") === undefined) assert.equal(textAt(after, "params"), "{}");
      else assert.deepEqual(untouched(after, rule), untouched(text, rule));
    });
  });
});

describe("a modern request for a modern server", () => {
  const request = (inner: string): string => `{ "params":{"_meta":{"${PV}":"x", "${CC}": ${inner} } } }`;
  const all = `{ "roots":{}, "future":{"n":1.0}, "sampling":{}, "extensions":{"${TASKS}":{}, "a/b":{} }, "elicitation":{} }`;

  test("tells of no tasks", () => {
    assert.equal(toModernServer(request(all), true), request(all.replace(`"${TASKS}":{}, `, "")));
  });

  test("tells of no way to ask the client where there is none", () => {
    const rest = '{ "future":{"n":1.0}, "extensions":{"a/b":{} } }';
    assert.equal(toModernServer(request(all), false), request(rest));
  });

  test("stays as it is but for that", () => {
    always(fc.tuple(requests, fc.boolean()), ([text, input]) => {
      const rule = input ? RULES.toModernAsking : RULES.toModernServer;
      const after = toModernServer(text, input);
      assert.deepEqual(named(after, rule), []);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      if (named(text, rule).length === 0) assert.equal(after, text);
      assert.equal(toModernServer(after, input), after);
    });
  });

  test("is edited in no time, however often a capability stands there", async () => {
    const many = `{${'"roots":{},'.repeat(10_000)}"a":1}`;
    const tookMs = await effortOf(() =>
      assert.equal(toModernServer(request(many), false), request('{"a":1}')),
    );
    assert.ok(tookMs < 3000, `${tookMs} milliseconds for 10000 members`);
  });
});

describe("an initialize request", () => {
  test("asks for a version that is served, with capabilities that can be kept", () => {
    const text =
      '{"id":1,"params":{ "capabilities":{"roots":{},"experimental":{"n":1.0}}, "x":1, "protocolVersion":"1" }}';
    const rest = '"x":1, "protocolVersion":"2025-11-25" }}';
    assert.equal(
      toInitializeRequest(text, "2025-11-25", false),
      `{"id":1,"params":{ "capabilities":{"experimental":{"n":1.0}}, ${rest}`,
    );
    assert.equal(
      toInitializeRequest(text, "2025-11-25", true),
      `{"id":1,"params":{ "capabilities":{"experimental":{"n":1.0},"roots":{}}, ${rest}`,
    );
  });

  test("without either of them gets both", () => {
    const after = '{"params":{"protocolVersion":"2025-06-18","capabilities":{}}}';
    assert.equal(toInitializeRequest('{"params":{}}', "2025-06-18", true), after);
  });

  test("changes in nothing else, and not twice", () => {
    const rule = { params: { protocolVersion: null, capabilities: null } };
    const all = messages(
      objectsWith({ protocolVersion: values, capabilities: fc.oneof(capabilities, values) }),
    );
    always(fc.tuple(all, fc.boolean()), ([text, input]) => {
      const after = toInitializeRequest(text, "2025-11-25", input);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      assert.equal(toInitializeRequest(after, "2025-11-25", input), after);
      JSON.parse(after);
    });
  });
});

describe("a retry", () => {
  test("brings the state of the server, or none", () => {
    const text = '{"params":{"requestState":"ours","a": 1.0 }}';
    assert.equal(
      withRequestState(text, '"theirs"\n'),
      '{"params":{"requestState":"\\"theirs\\"\\n","a": 1.0 }}',
    );
    assert.equal(withRequestState(text, undefined), '{"params":{"a": 1.0 }}');
    assert.equal(withRequestState('{"params":{}}', "s"), '{"params":{"requestState":"s"}}');
  });

  test("brings answers as they were written, or those that it had", () => {
    const text = '{"params":{"inputResponses":{"q0":1},"a":1}}';
    const after = '{"params":{"inputResponses":{"k":9007199254740993},"a":1,"requestState":"s"}}';
    assert.equal(withInputResponses(text, '{"k":9007199254740993}', "s"), after);
    assert.equal(withInputResponses(text, undefined, undefined), text);
  });

  test("is the same request but for these two", () => {
    const rule = { params: { inputResponses: null, requestState: null } };
    always(fc.tuple(messages(parameters), objects, fc.string()), ([text, responses, state]) => {
      const after = withInputResponses(text, responses, state);
      assert.deepEqual(untouched(after, rule), untouched(text, rule));
      const params = textAt(after, "params");
      if (params === undefined) return;
      assert.equal(textAt(params, "inputResponses"), responses);
      assert.equal(textAt(params, "requestState"), JSON.stringify(state));
    });
  });
});

describe("a request of our own", () => {
  test("says who calls where the server is modern", () => {
    assert.equal(
      modernRequestText('a"b', "tools/list", '{"cursor":"c"}', CLIENT),
      `{"jsonrpc":"2.0","id":"a\\"b","method":"tools/list","params":{"cursor":"c","_meta":{${ENVELOPE}}}}`,
    );
  });

  test("says nothing else where it is not", () => {
    assert.equal(requestText("1", "a", "{}"), '{"jsonrpc":"2.0","id":"1","method":"a","params":{}}');
  });
});

describe("what tells requests apart", () => {
  const salient = (params: string, method = "tools/call"): string =>
    salientText(message(`{"id":1,"method":"${method}"${params && `,"params":${params}`}}`));

  test("is the method, and each parameter as it is written", () => {
    const texts = ["", "{}", '{"name":"a"}', '{"name":"a","x":1}', '{"name":"a","x":1.0}', '{"name":"a b"}'];
    const all = [...texts.map((text) => salient(text)), salient("{}", "prompts/get")];
    assert.deepEqual(all.slice(0, 2), ['"tools/call"{}', '"tools/call"{}']);
    assert.equal(new Set(all).size, all.length - 1);
  });

  test("is not the id, nor the space, nor what a retry adds", () => {
    const [one, other] = [
      '{"id":1,"method":"a","params":{"n":9007199254740993,"o":{"_meta":" 1 "}}}',
      '{"id":"2","method":"a","params": { "_meta":{"x":1}, "n" : 9007199254740993,\n"requestState":"s", "o":{"_meta":" 1 "},"inputResponses":{} } }',
    ].map((text) => salientText(message(text)));
    assert.equal(one, other);
    assert.equal(one, '"a"{"n":9007199254740993,"o":{"_meta":" 1 "}}');
  });

  test("holds every parameter that a server may act on", () => {
    const rule = { _meta: null, inputResponses: null, requestState: null };
    const compact = (text: unknown): string => String(text).replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
    always(parameters, (params) => {
      const rest = untouched(params, rule).map((pair) =>
        (pair as string[]).map((text, at) => (at ? compact(text) : text)),
      );
      assert.deepEqual(pairs(salient(params).slice('"tools/call"'.length)), rest);
    });
  });
});

describe("any JSON value in the place of the parameters is no reason to throw", () => {
  const translations: readonly (readonly [name: string, translate: (text: string) => string])[] = [
    ["toLegacyRequest", (text) => toLegacyRequest(text, "tools/call")],
    ["toModernRequest", (text) => toModernRequest(text, CLIENT)],
    ["toModernServer", (text) => toModernServer(text, false)],
    ["toInitializeRequest", (text) => toInitializeRequest(text, "2025-11-25", true)],
    ["withRequestState", (text) => withRequestState(text, "s")],
    ["withInputResponses", (text) => withInputResponses(text, "{}", "s")],
  ];
  for (const [name, translate] of translations) {
    test(`${name} gives JSON`, () => {
      always(values, (text) => void JSON.parse(translate(`{"id":1,"method":"a","params":${text}}`)));
    });

    test(`${name} gives JSON, whatever _meta is`, () => {
      always(
        values,
        (text) => void JSON.parse(translate(`{"id":1,"method":"a","params":{"_meta":${text}}}`)),
      );
    });
  }

  test("salientText gives a text", () => {
    always(values, (text) => void salientText(message(`{"id":1,"method":"a","params":${text}}`)));
  });
});
