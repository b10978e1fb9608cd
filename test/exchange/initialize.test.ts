import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  INITIALIZED_TEXT,
  anonymousHandshake,
  handshakeOf,
  initializeText,
} from "../../lib/exchange/initialize.ts";
import { toInitializeRequest } from "../../lib/eras/request-down.ts";
import { advertisedResult } from "../../lib/eras/result-up.ts";
import type { Handshake } from "../../lib/exchange/initialize.ts";
import { editMember } from "../../lib/rawjson.ts";

const ME = { name: "mcp-mayfly", version: "0.1.0" };
const CLIENT = { name: "client", version: "1", title: "A client" };

function handshake(params: Readonly<Record<string, unknown>> | undefined): Handshake {
  const value = { id: 1, method: "initialize", ...(params && { params }) };
  return handshakeOf({ text: "", value });
}

describe("the handshake of a client", () => {
  test("is its own word, where a server can read it", () => {
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: CLIENT };
    assert.deepEqual(handshake(params), params);
  });

  const versions: readonly (readonly [asked: unknown, given: string])[] = [
    ["2025-11-25", "2025-11-25"],
    ["2024-11-05", "2024-11-05"],
    ["2024-10-07", "2024-10-07"],
    ["2026-07-28", "2025-11-25"],
    ["1.0", "2025-11-25"],
    [undefined, "2025-11-25"],
    [20_251_125, "2025-11-25"],
  ];
  for (const [asked, given] of versions) {
    test(`that asks for ${String(asked)} gets ${given}`, () => {
      assert.equal(handshake({ protocolVersion: asked }).protocolVersion, given);
    });
  }

  for (const clientInfo of [
    undefined,
    null,
    "client",
    [],
    {},
    { name: "client" },
    { name: 1, version: "1" },
  ]) {
    test(`that calls itself ${JSON.stringify(clientInfo)} is called ours`, () => {
      assert.deepEqual(handshake({ clientInfo }).clientInfo, ME);
    });
  }

  test("keeps the capabilities that can be honoured in some input mode", () => {
    const capabilities = {
      roots: { listChanged: true },
      sampling: {},
      elicitation: { form: {} },
      tasks: {},
      future: {},
      experimental: { x: { y: 1 } },
      extensions: { "io.modelcontextprotocol/tasks": {}, "com.example/ui": { mimeTypes: [] } },
    };
    assert.deepEqual(handshake({ capabilities }).capabilities, {
      roots: { listChanged: true },
      sampling: {},
      elicitation: { form: {} },
      experimental: { x: { y: 1 } },
      extensions: { "com.example/ui": { mimeTypes: [] } },
    });
  });

  for (const capabilities of [undefined, null, "all", [], { experimental: null, extensions: [] }]) {
    test(`with the capabilities ${JSON.stringify(capabilities)} has none`, () => {
      assert.deepEqual(handshake({ capabilities }).capabilities, {});
    });
  }

  test("without params is all ours", () => {
    assert.deepEqual(handshake(undefined), anonymousHandshake("2025-11-25"));
  });
});

test("a replayed handshake is the plain messages of the specification", () => {
  assert.equal(
    initializeText("id-1", anonymousHandshake("2025-03-26")),
    '{"jsonrpc":"2.0","id":"id-1","method":"initialize","params":{"protocolVersion":"2025-03-26",' +
      '"clientInfo":{"name":"mcp-mayfly","version":"0.1.0"},"capabilities":{}}}',
  );
  assert.equal(INITIALIZED_TEXT, '{"jsonrpc":"2.0","method":"notifications/initialized"}');
});

test("the capabilities that cross keep their text", () => {
  const trial = '{"n": 9007199254740993, "n": 1.0}';
  const params = `{"capabilities":{"sampling":{}, "experimental":${trial}},"protocolVersion":"2025-11-25"}`;
  const text = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":${params}}`;
  assert.ok(toInitializeRequest(text, "2025-11-25", false).includes(`{"experimental":${trial}}`));
});

test("a client's own initialize keeps every byte but the version and the capabilities", () => {
  const text =
    '{ "jsonrpc":"2.0", "id":9007199254740993, "method":"initialize", "params": ' +
    '{"capabilities" : {"sampling":{}},"clientInfo":{"name":"\\u0061", "x":1.0}, "protocolVersion":"9" , "_meta":{"n":1e2}} }';
  assert.equal(
    toInitializeRequest(text, "2025-11-25", false),
    '{ "jsonrpc":"2.0", "id":9007199254740993, "method":"initialize", "params": ' +
      '{"capabilities" : {},"clientInfo":{"name":"\\u0061", "x":1.0}, "protocolVersion":"2025-11-25" , "_meta":{"n":1e2}} }',
  );
});

function advertisedAnswer(text: string): string {
  return editMember(text, "result", (result) => advertisedResult(result, { changes: false }));
}

describe("the capabilities of a server", () => {
  const rows: readonly (readonly [before: string, after: string])[] = [
    ["{}", "{}"],
    ['{"tools":{}, "prompts":{}, "resources":{}}', '{"tools":{}, "prompts":{}, "resources":{}}'],
    [
      '{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":false}}',
      '{"tools":{},"prompts":{},"resources":{}}',
    ],
    ['{"resources": { "subscribe":true, "x": 1.0 } }', '{"resources": { "x": 1.0 } }'],
    ['{"logging":{}, "completions":{ }, "experimental":{"listChanged":true}}', undefined],
    ['{"future":{"listChanged":true,"n":9007199254740993},"x":[1, 2]}', undefined],
    ['{"tasks":{"list":{}},"tools":{}}', '{"tools":{}}'],
    ['{"a":1,"tasks":{},"tasks":{}}', '{"a":1}'],
    [
      '{"extensions":{"io.modelcontextprotocol/tasks":{}, "com.example/ui":{"listChanged":true}}}',
      '{"extensions":{"com.example/ui":{"listChanged":true}}}',
    ],
    ['{"tools":true,"prompts":null,"resources":[],"extensions":1}', undefined],
    ['{"t\\u006fols":{"l\\u0069stChanged":true}}', '{"t\\u006fols":{}}'],
    ["null", undefined],
    ["[]", undefined],
  ].map(([before, after]) => [before ?? "", after ?? before ?? ""]);
  for (const [before, after] of rows) {
    test(`${before} become ${before === after ? "the same" : after}`, () => {
      const answer = (capabilities: string): string =>
        `{"jsonrpc":"2.0","id":1.0, "result":{"protocolVersion":"x","capabilities":${capabilities} ,"serverInfo":{}}}`;
      assert.equal(advertisedAnswer(answer(before)), answer(after));
    });
  }

  for (const text of [
    '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"capabilities"}}',
    '{"jsonrpc":"2.0","id":1,"result":null}',
    '{"jsonrpc":"2.0","id":1,"result":[{"capabilities":{"tasks":{}}}]}',
    '{"jsonrpc":"2.0","id":1,"result":{ }}',
  ]) {
    test(`are not looked for in ${text}`, () => assert.equal(advertisedAnswer(text), text));
  }
});
