import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { Message, RequestValue } from "../../lib/jsonrpc.ts";
import { sha256 } from "../../lib/digest.ts";
import { inputRequestText, mayBeAsked, questionOf } from "../../lib/input/questions.ts";
import type { Question, Refusal } from "../../lib/input/questions.ts";

const ALL = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} };

function message(text: string): Message<RequestValue> {
  return { text, value: JSON.parse(text) as RequestValue };
}

/** A request of a server, with these parameters as text. */
function asks(method: string, params?: string, id = '"s1"'): Message<RequestValue> {
  const member = params === undefined ? "" : `,"params":${params}`;
  return message(`{"jsonrpc":"2.0","id":${id},"method":"${method}"${member}}`);
}

function question(method: string, params?: string, id?: string): Question {
  const found = questionOf(asks(method, params, id), ALL);
  assert.ok("digest" in found, JSON.stringify(found));
  return found;
}

function codeOf(error: string): number {
  return (JSON.parse(error) as { error: { code: number } }).error.code;
}

test("three methods may be interrupted by questions (2026-07-28/basic/patterns/mrtr)", () => {
  for (const method of ["tools/call", "prompts/get", "resources/read"])
    assert.equal(mayBeAsked(method), true);
  for (const method of ["tools/list", "completion/complete", "Tools/call", "constructor", ""]) {
    assert.equal(mayBeAsked(method), false);
  }
});

describe("a server may ask", () => {
  const rows: readonly (readonly [what: string, capabilities: object, method: string, params: string])[] = [
    ["for a form", { elicitation: { form: {} } }, "elicitation/create", "{}"],
    ["for a form by its name", { elicitation: { form: {} } }, "elicitation/create", '{"mode":"form"}'],
    [
      "for a form, of a client that says no more than that it elicits",
      { elicitation: {} },
      "elicitation/create",
      "{}",
    ],
    ["for a visit", { elicitation: { url: {} } }, "elicitation/create", '{"mode":"url"}'],
    ["for a message", { sampling: {} }, "sampling/createMessage", "{}"],
    ["for a message with tools", { sampling: { tools: {} } }, "sampling/createMessage", '{"tools":[]}'],
    ["for roots", { roots: { listChanged: true } }, "roots/list", "{}"],
  ];
  for (const [what, capabilities, method, params] of rows) {
    test(what, () => {
      const asked = asks(method, params);
      const found = questionOf(asked, capabilities as Record<string, unknown>);
      assert.equal("digest" in found ? found.message : found.refusal, asked);
    });
  }
});

describe("a server may not ask", () => {
  type Row = readonly [
    what: string,
    capabilities: object,
    method: string,
    params: string,
    code: number,
    missing: unknown,
  ];
  const [UNKNOWN, PARAMS] = [-32_601, -32_602];
  const form = { elicitation: { form: {} } };
  const rows: readonly Row[] = [
    ["for a form of a client that has none", {}, "elicitation/create", "{}", UNKNOWN, { elicitation: {} }],
    [
      "for a form of a client that only visits",
      { elicitation: { url: {} } },
      "elicitation/create",
      "{}",
      PARAMS,
      form,
    ],
    [
      "for a visit of a client that only has forms",
      form,
      "elicitation/create",
      '{"mode":"url"}',
      PARAMS,
      { elicitation: { url: {} } },
    ],
    [
      "for a visit of a client that elicits",
      { elicitation: {} },
      "elicitation/create",
      '{"mode":"url"}',
      PARAMS,
      { elicitation: { url: {} } },
    ],
    [
      "for a visit of a client that says yes",
      { elicitation: { url: true } },
      "elicitation/create",
      '{"mode":"url"}',
      PARAMS,
      { elicitation: { url: {} } },
    ],
    [
      "for a mode of its own",
      ALL,
      "elicitation/create",
      '{"mode":"voice"}',
      PARAMS,
      { elicitation: { voice: {} } },
    ],
    [
      "for a message of a client that makes none",
      form,
      "sampling/createMessage",
      "{}",
      UNKNOWN,
      { sampling: {} },
    ],
    [
      "for tools of a client that uses none",
      { sampling: {} },
      "sampling/createMessage",
      '{"tools":[]}',
      PARAMS,
      { sampling: { tools: {} } },
    ],
    [
      "for a choice of tools either",
      { sampling: {} },
      "sampling/createMessage",
      '{"toolChoice":{}}',
      PARAMS,
      { sampling: { tools: {} } },
    ],
    ["for roots of a client that has none", { roots: null }, "roots/list", "{}", UNKNOWN, { roots: {} }],
    ["for what no client has", ALL, "tools/call", "{}", UNKNOWN, undefined],
    ["for what every object has", ALL, "constructor", "{}", UNKNOWN, undefined],
  ];
  for (const [what, capabilities, method, params, code, missing] of rows) {
    test(`${what}, and is told why`, () => {
      const found = questionOf(
        asks(method, params, "9007199254740993"),
        capabilities as Record<string, unknown>,
      );
      assert.equal("refusal" in found, true);
      const { refusal, missing: told } = found as Refusal;
      assert.match(refusal, /^\{"jsonrpc":"2\.0","id":9007199254740993,"error":/);
      assert.equal(codeOf(refusal), code);
      assert.deepEqual(told, missing);
    });
  }

  const modes = ['"__proto__"', "null", "7", "[]", '["url"]', "{}", '{"toString":1,"valueOf":1}'];
  for (const mode of modes) {
    test(`in the mode ${mode}, which is none`, () => {
      const found = questionOf(asks("elicitation/create", `{"mode":${mode}}`), ALL);
      assert.equal("refusal" in found ? codeOf(found.refusal) : "asked", PARAMS);
    });
  }
});

describe("the digest of a question", () => {
  const first = question("elicitation/create", '{"message":"who?","n":9007199254740993}').digest;

  test("is the same for the same question of another process", () => {
    const again =
      '{ "_meta":{"progressToken":7}, "message" : "who?",\n"elicitationId":"x", "n":9007199254740993 }';
    assert.equal(question("elicitation/create", again, "7").digest, first);
  });

  test("differs for every other question", () => {
    const others = [
      question("elicitation/create", '{"message":"who? ","n":9007199254740993}'),
      question("elicitation/create", '{"message":"who?","n":9007199254740992}'),
      question("elicitation/create", '{"message":"who?","n":9007199254740993,"mode":"form"}'),
      question("elicitation/create", '{"message":"who?"}'),
      question("sampling/createMessage", '{"message":"who?","n":9007199254740993}'),
      question("roots/list"),
    ].map(({ digest }) => digest);
    assert.equal(new Set([first, ...others]).size, others.length + 1);
  });

  test("does not need parameters", () => {
    assert.equal(question("roots/list").digest, question("roots/list", "{}").digest);
    assert.equal(question("roots/list").digest, question("roots/list", '{"_meta":{}}').digest);
  });

  test("is a SHA-256 in base64url", () => {
    assert.equal(sha256(""), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    assert.equal(question("roots/list").digest, sha256('"roots/list"{}'));
  });
});

describe("a question as a modern server asks it", () => {
  type Row = readonly [what: string, method: string, params: string | undefined, text: string];
  const rows: readonly Row[] = [
    [
      "is what it was",
      "sampling/createMessage",
      '{ "n":9007199254740993, "_meta":{"a/b":1} }',
      '{"method":"sampling/createMessage","params":{ "n":9007199254740993, "_meta":{"a/b":1} }}',
    ],
    [
      "names its mode",
      "elicitation/create",
      '{"message":"a"}',
      '{"method":"elicitation/create","params":{"message":"a","mode":"form"}}',
    ],
    [
      "has no id of its own (2026-07-28/changelog, Minor changes 11)",
      "elicitation/create",
      '{"mode":"url","elicitationId":"x","url":"https://a.example"}',
      '{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example"}}',
    ],
    [
      "has no token for progress",
      "roots/list",
      '{"_meta":{"progressToken":1}}',
      '{"method":"roots/list","params":{}}',
    ],
    [
      "has parameters if it elicits",
      "elicitation/create",
      undefined,
      '{"method":"elicitation/create","params":{"mode":"form"}}',
    ],
    ["needs no parameters otherwise", "roots/list", undefined, '{"method":"roots/list"}'],
  ];
  for (const [what, method, params, text] of rows) {
    test(what, () => assert.equal(inputRequestText(question(method, params)), text));
  }
});
