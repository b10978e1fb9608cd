import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  TooManyValues,
  flawOf,
  isNotification,
  isObject,
  isRequest,
  isRequestId,
  isResponse,
  messagesOf,
  onOneLine,
} from "../lib/jsonrpc.ts";

describe("a JSON-RPC message", () => {
  const good = [
    '{"jsonrpc":"2.0","id":1,"method":"a"}',
    '{"jsonrpc":"2.0","id":"","method":"a","params":{}}',
    '{"jsonrpc":"2.0","id":-1,"method":"a"}',
    '{"jsonrpc":"2.0","id":9007199254740993,"method":"a"}',
    '{"jsonrpc":"2.0","method":"a"}',
    '{"jsonrpc":"2.0","id":0,"result":null}',
    '{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":""}}',
    '{"jsonrpc":"2.0","id":0,"method":"a","unknown":[]}',
  ];
  for (const text of good) {
    test(`is ${text}`, () => assert.equal(flawOf(JSON.parse(text)), undefined));
  }

  const bad: readonly (readonly [text: string, flaw: string])[] = [
    ["null", "it is not an object"],
    ["1", "it is not an object"],
    ["[]", "it is not an object"],
    ["{}", 'its jsonrpc member is not "2.0"'],
    ['{"jsonrpc":2.0,"id":1,"method":"a"}', 'its jsonrpc member is not "2.0"'],
    ['{"jsonrpc":"1.0","id":1,"method":"a"}', 'its jsonrpc member is not "2.0"'],
    ['{"jsonrpc":"2.0","id":null,"method":"a"}', "its id is neither a string nor an integer"],
    ['{"jsonrpc":"2.0","id":1.5,"method":"a"}', "its id is neither a string nor an integer"],
    ['{"jsonrpc":"2.0","id":true,"method":"a"}', "its id is neither a string nor an integer"],
    ['{"jsonrpc":"2.0","id":[1],"method":"a"}', "its id is neither a string nor an integer"],
    ['{"jsonrpc":"2.0","id":{},"method":"a"}', "its id is neither a string nor an integer"],
    ['{"jsonrpc":"2.0","id":1e400,"method":"a"}', "its id is neither a string nor an integer"],
    ['{"jsonrpc":"2.0","id":1,"method":7}', "its method is not a string"],
    ['{"jsonrpc":"2.0","id":1,"method":"a","params":[]}', "its params are not an object"],
    ['{"jsonrpc":"2.0","id":1,"method":"a","params":null}', "its params are not an object"],
    ['{"jsonrpc":"2.0","id":1}', "it has no method, no result and no error"],
    ['{"jsonrpc":"2.0","result":{}}', "it is a response without an id"],
  ];
  for (const [text, flaw] of bad) {
    test(`is not ${text}`, () => assert.equal(flawOf(JSON.parse(text)), flaw));
  }
});

test("requests, notifications and responses are told apart", () => {
  const kinds = [{ id: 1, method: "a" }, { method: "a" }, { id: 1, result: {} }].map((value) => {
    const message = { text: "", value };
    return [isRequest(message), isNotification(message), isResponse(message)];
  });
  assert.deepEqual(kinds, [
    [true, false, false],
    [false, true, false],
    [false, false, true],
  ]);
});

describe("a line of a server", () => {
  test("gives one message, with the text as it was written", () => {
    const line = ' {"jsonrpc":"2.0", "id":9007199254740993, "result":{"n":1.0}}\r';
    const { messages, flaws } = messagesOf(line) ?? {};
    assert.deepEqual(
      messages?.map(({ text }) => text),
      ['{"jsonrpc":"2.0", "id":9007199254740993, "result":{"n":1.0}}'],
    );
    assert.deepEqual(flaws, []);
  });

  test("gives the messages of an array, and what is wrong with the rest", () => {
    const first = '{"jsonrpc":"2.0","method":"a","params":{"x":"],["}}';
    const second = '{"jsonrpc":"2.0", "id":1.0, "result":{}}';
    const { messages, flaws } = messagesOf(
      `[${first} , 7,${second},{"jsonrpc":"2.0","id":null,"error":{}}]`,
    )!;
    assert.deepEqual(
      messages.map(({ text }) => text),
      [first, second],
    );
    assert.deepEqual(flaws, ["it is not an object", "its id is neither a string nor an integer"]);
  });

  const flawed: readonly (readonly [line: string, flaw: string])[] = [
    ["[7]", "it is not an object"],
    ["{}", 'its jsonrpc member is not "2.0"'],
    ['{"jsonrpc":"2.0","id":null,"error":{}}', "its id is neither a string nor an integer"],
  ];
  for (const [line, flaw] of flawed) {
    test(`gives none for ${line}`, () => assert.deepEqual(messagesOf(line), { messages: [], flaws: [flaw] }));
  }

  for (const line of ["", " ", "Listening on stdio", "{", "\uFEFF{}", "NaN", "null", "7", '"text"']) {
    test(`is neither an object nor an array: ${JSON.stringify(line)}`, () =>
      assert.equal(messagesOf(line), undefined));
  }
});

const TOO_LONG = { messages: [], flaws: ["it has more than 1000 parts"] };

test("a batch of a server may have a thousand messages, and one with more is not read", () => {
  const batch = (length: number): string => {
    const message = '{"jsonrpc":"2.0","method":"a","params":{"x":[1,2]}}';
    return `[${Array.from({ length }, () => message).join(",")}]`;
  };
  assert.equal(messagesOf(batch(1000))?.messages.length, 1000);
  assert.deepEqual(messagesOf(batch(1001)), TOO_LONG);
});

describe("a line that would take many times its room in memory is not read", () => {
  const message = (more: string): string => `{"jsonrpc":"2.0","method":"a"${more}}`;

  test("because its message has too many members", () => {
    assert.equal(messagesOf(message(',"b":1'.repeat(998)))?.messages.length, 1);
    assert.deepEqual(messagesOf(message(',"b":1'.repeat(999))), TOO_LONG);
  });

  for (const nested of ["{}", "[]"]) {
    test(`because it holds too many ${nested}`, () => {
      const params = (count: number): string =>
        message(`,"params":{"text":"${nested.repeat(9)}","list":[${Array(count).fill(nested).join()}]}`);
      assert.equal(messagesOf(params(1_000_000 - 3))?.messages.length, 1);
      assert.throws(() => messagesOf(params(1_000_000 - 2)), TooManyValues);
    });
  }
});

describe("onOneLine", () => {
  const rows: readonly (readonly [text: string, line: string])[] = [
    ['{"a":1}', '{"a":1}'],
    ['{\r\n\t"a":\n1}', '{  \t"a": 1}'],
    ['{"a":"\\n\u2028"}', '{"a":"\\n\u2028"}'],
  ];
  for (const [text, line] of rows) {
    test(`writes ${JSON.stringify(text)} on one line`, () => {
      assert.equal(onOneLine(text), line);
      assert.deepEqual(JSON.parse(onOneLine(text)), JSON.parse(text));
    });
  }
});

test("an object is neither null nor an array", () => {
  assert.deepEqual([{}, null, [], "", 0, undefined].map(isObject), [true, false, false, false, false, false]);
});

test("an id is a string or an integer", () => {
  const good: unknown[] = ["", "a", 0, -1, 2 ** 53, 1.0];
  const bad: unknown[] = [1.5, Number.NaN, Infinity, null, undefined, true, [], {}, 1n];
  assert.deepEqual(good.filter(isRequestId), good);
  assert.deepEqual(bad.filter(isRequestId), []);
});

describe("a long result", () => {
  const text = `{"jsonrpc":"2.0","id":"a","result":{"n":1,"filling":"${"x".repeat(300_000)}"}}`;
  const [message] = messagesOf(text)?.messages ?? [];

  test("is read again when it is asked for, and not kept beside its text", () => {
    assert.ok(message && isResponse(message));
    assert.equal(message.text, text);
    assert.equal(message.value.id, "a");
    assert.equal((message.value.result as { n: number }).n, 1);
    assert.notEqual(message.value.result, message.value.result);
  });

  test("of an error, and what a long request asks for, are there as ever", () => {
    const error = text.replace('"result":', '"error":');
    const request = text.replace('"result":', '"method":"a","params":');
    assert.equal(messagesOf(error)?.messages.length, 1);
    assert.deepEqual(messagesOf(error)?.messages[0]?.value, JSON.parse(error));
    assert.deepEqual(messagesOf(request)?.messages[0]?.value, JSON.parse(request));
  });
});
