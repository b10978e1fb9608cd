import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { MayflyError } from "../../lib/errors.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import type { Message, RequestValue } from "../../lib/jsonrpc.ts";
import { questionOf } from "../../lib/input/questions.ts";
import type { Question } from "../../lib/input/questions.ts";
import { bindingOf, checkInputResponses, createRerun, inputResponsesOf } from "../../lib/input/rerun.ts";
import type { Rerun } from "../../lib/input/rerun.ts";
import { createSeal } from "../../lib/input/seal.ts";
import { effortOf } from "../support/effort.ts";
import { always } from "../support/texts.ts";

const SEAL = createSeal(["the secret"]);
const NOW = 1_785_000_000_000;
const TEN_MINUTES = 600_000;

interface Retry {
  readonly state?: unknown;
  /** Raw text. */
  readonly responses?: string;
  readonly name?: string;
}

function request({ state, responses, name = "greet" }: Retry = {}): Message<RequestValue> {
  const more = [
    responses === undefined ? "" : `,"inputResponses":${responses}`,
    state === undefined ? "" : `,"requestState":${JSON.stringify(state)}`,
  ].join("");
  return message(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}"${more}}}`);
}

function message(text: string): Message<RequestValue> {
  return { text, value: JSON.parse(text) as RequestValue };
}

function question(text: string): Question {
  const asked = message(
    `{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"message":"${text}"}}`,
  );
  const found = questionOf(asked, { elicitation: {} });
  assert.ok("digest" in found);
  return found;
}

const [NAME, TOWN, AGE] = [question("name?"), question("town?"), question("age?")];

function rerun(
  retry: Retry = {},
  { seal = SEAL, now = NOW, principal = "key 1", configuration = "server 1" } = {},
): Rerun {
  const asked = request(retry);
  return createRerun(asked, bindingOf(principal, configuration, asked), seal, now);
}

/** What the client brings back after a first round with these questions. */
function stateFor(open: Readonly<Record<string, Question>>): string {
  return rerun().requestState(open);
}

function refused(run: () => unknown, code: ErrorCode, status: number, rpc: number): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof MayflyError, String(error));
    assert.deepEqual([error.code, error.status, error.rpcCode], [code, status, rpc]);
    return true;
  });
}

function notValid(run: () => unknown): void {
  refused(run, "STATE_NOT_VALID", 400, -32_602);
}

describe("a request that runs for the first time", () => {
  test("has no answers, and continues nothing", () => {
    const first = rerun();
    assert.deepEqual([first.continued, first.foreign, first.answerTo(NAME)], [false, false, undefined]);
  });

  test("takes no answers that nobody asked for", () => {
    assert.equal(rerun({ responses: '{"q0":{"action":"accept"}}' }).answerTo(NAME), undefined);
    assert.equal(rerun({ responses: "7" }).continued, false);
  });

  for (const state of ["", "theirs", "mayfly", "MAYFLY1.x", "mayfly-held.x", 7, null, {}, ["mayfly1.x"]]) {
    test(`has a foreign state: ${JSON.stringify(state)}`, () => {
      const first = rerun({ state, responses: '{"q0":{}}' });
      assert.deepEqual([first.continued, first.foreign, first.answerTo(NAME)], [false, true, undefined]);
    });
  }
});

describe("a request that runs again", () => {
  test("has the answers to its questions, as they were written", () => {
    const state = stateFor({ q0: NAME, q1: TOWN });
    const again = rerun({
      state,
      responses: '{ "q1": {"b":9007199254740993} ,"q0":{ "a" : 1.0 }, "q2":{} }',
    });
    assert.deepEqual([again.continued, again.foreign], [true, false]);
    assert.equal(again.answerTo(NAME), '{ "a" : 1.0 }');
    assert.equal(again.answerTo(TOWN), '{"b":9007199254740993}');
    assert.equal(again.answerTo(AGE), undefined);
  });

  test("has the answers in whatever order the server asks", () => {
    const state = stateFor({ q0: NAME, q1: TOWN });
    const again = rerun({ state, responses: '{"q0":{"n":0},"q1":{"n":1}}' });
    assert.deepEqual(
      [TOWN, NAME].map((asked) => again.answerTo(asked)),
      ['{"n":1}', '{"n":0}'],
    );
  });

  test("has each answer once", () => {
    const again = rerun({ state: stateFor({ q0: NAME }), responses: '{"q0":{}}' });
    assert.deepEqual([again.answerTo(NAME), again.answerTo(NAME)], ["{}", undefined]);
  });

  test("has two answers for two equal questions, in their order", () => {
    const state = stateFor({ q0: NAME, q1: TOWN, q2: NAME });
    const again = rerun({ state, responses: '{"q2":{"n":2},"q0":{"n":0},"q1":{"n":1}}' });
    assert.deepEqual(
      [again.answerTo(NAME), again.answerTo(NAME), again.answerTo(NAME)],
      ['{"n":0}', '{"n":2}', undefined],
    );
  });

  test("keeps the answers of all rounds", () => {
    const second = rerun({ state: stateFor({ q0: NAME }), responses: '{"q0":{"n":0}}' });
    const third = rerun({ state: second.requestState({ q0: TOWN }), responses: '{"q0":{"n":1}}' });
    assert.deepEqual(
      [NAME, TOWN].map((asked) => third.answerTo(asked)),
      ['{"n":0}', '{"n":1}'],
    );
  });

  test("keeps answers that were given in this round already", () => {
    const second = rerun({ state: stateFor({ q0: NAME }), responses: '{"q0":{"n":0}}' });
    second.answerTo(NAME);
    const third = rerun({ state: second.requestState({ q0: TOWN }) });
    assert.equal(third.answerTo(NAME), '{"n":0}');
  });

  test("asks again for an answer that is missing (Error Handling)", () => {
    const state = stateFor({ q0: NAME, q1: TOWN });
    for (const responses of [undefined, "{}", '{"q1":{"n":1}}', '{"Q0":{},"q1":{"n":1}}']) {
      const again = rerun({ state, ...(responses !== undefined && { responses }) });
      assert.equal(again.continued, true);
      assert.equal(again.answerTo(NAME), undefined);
      assert.equal(again.answerTo(TOWN), responses?.includes("q1") ? '{"n":1}' : undefined);
    }
  });

  test("answers only what was asked last: a key of the round before means another question", () => {
    const second = rerun({ state: stateFor({ q0: NAME }), responses: '{"q0":{"n":0}}' });
    const third = rerun({
      state: second.requestState({ q0: TOWN }),
      responses: '{"q0":{"n":1},"q1":{"n":2}}',
    });
    assert.deepEqual(
      [NAME, NAME, TOWN].map((asked) => third.answerTo(asked)),
      ['{"n":0}', undefined, '{"n":1}'],
    );
  });

  test("has any answers under any keys", () => {
    const rounds = fc.uniqueArray(
      fc.string({ unit: "grapheme", maxLength: 5 }).filter((key) => !key.startsWith("\\")),
      { minLength: 1, maxLength: 5 },
    );
    const check = (keys: string[]): void => {
      const questions = keys.map((key): [string, Question] => [
        key,
        question(`about ${Buffer.from(key).toString("hex")}`),
      ]);
      const answers = keys.map((key, at) => `${JSON.stringify(key)}: {"at":${at}}`);
      const again = rerun({
        state: stateFor(Object.fromEntries(questions)),
        responses: `{${answers.toReversed().join(",")}}`,
      });
      for (const [at, [, asked]] of questions.entries()) assert.equal(again.answerTo(asked), `{"at":${at}}`);
    };
    always(rounds, check);
    check(["__proto__", "constructor", ""]);
  });
});

describe("answers are refused", () => {
  const state = stateFor({ q0: NAME });
  const rows: readonly (readonly [responses: string, key: string])[] = [
    ["null", "all"],
    ["[]", "all"],
    ['"q0"', "all"],
    ["7", "all"],
    ['{"q0":null}', "q0"],
    ['{"q0":"yes"}', "q0"],
    ['{"q0":[{}]}', "q0"],
    ['{"q0":{},"q0":7}', "q0"],
  ];
  for (const [responses, key] of rows) {
    test(`that are ${responses}, and the client is told where`, () => {
      refused(() => rerun({ state, responses }), "INPUT_RESPONSE_NOT_VALID", 400, -32_602);
      assert.throws(() => rerun({ state, responses }), new RegExp(`\\(${key}\\): expected an object`));
    });
  }

  test("only where something was asked", () => {
    assert.equal(rerun({ state, responses: '{"q0":{},"other":7}' }).answerTo(NAME), "{}");
  });
});

test("answers are read by their keys, and what is none is named", () => {
  const answers = inputResponsesOf(request({ responses: '{"a":{ "n":1.0 },"b":7}' }));
  assert.equal(answers("a"), '{ "n":1.0 }');
  assert.equal(answers("c"), undefined);
  assert.throws(() => answers("b"), /\(b\): expected an object/);
  assert.equal(inputResponsesOf(message('{"id":1,"method":"a"}'))("a"), undefined);
});

describe("a state is refused (2026-07-28/basic/patterns/mrtr, Server Requirements)", () => {
  const state = stateFor({ q0: NAME });

  test("with any single character changed", () => {
    const changed = fc.record({
      at: fc.integer({ min: 8, max: state.length - 1 }),
      by: fc.constantFrom(..."Aa0_-.= "),
    });
    const check = ({ at, by }: { at: number; by: string }): void => {
      if (state[at] !== by) notValid(() => rerun({ state: state.slice(0, at) + by + state.slice(at + 1) }));
    };
    always(changed, check);
  });

  test("that was cut, or added to", () => {
    for (const other of ["mayfly1.", state.slice(0, -1), `${state}A`, `${state} `])
      notValid(() => rerun({ state: other }));
  });

  test("after ten minutes", () => {
    assert.equal(rerun({ state }, { now: NOW + TEN_MINUTES }).continued, true);
    notValid(() => rerun({ state }, { now: NOW + TEN_MINUTES + 1 }));
  });

  test("of another caller", () => notValid(() => rerun({ state }, { principal: "key 2" })));

  test("of another server, or of the same one with another configuration", () => {
    notValid(() => rerun({ state }, { configuration: "server 2" }));
  });

  test("of another request", () => notValid(() => rerun({ state, name: "delete" })));

  test("that was sealed with another secret", () => {
    notValid(() => rerun({ state }, { seal: createSeal(["another"]) }));
  });

  test("that holds something else", () => {
    const texts = ["{}", "[]", "null", "7", '"a"', '{"expires":9e99,"binding":"x","log":[],"open":[]}'];
    for (const text of texts) notValid(() => rerun({ state: SEAL.seal(text) }));
  });

  test("not after a change of secrets, while the old one is known", () => {
    const retry = { state, responses: '{"q0":{"n":0}}' };
    const second = rerun(retry, { seal: createSeal(["new", "the secret"]) });
    assert.equal(second.answerTo(NAME), '{"n":0}');
    const next = second.requestState({ q0: TOWN });
    assert.equal(rerun({ state: next }, { seal: createSeal(["new"]) }).answerTo(NAME), '{"n":0}');
  });

  test("each round anew: its ten minutes begin with its questions", () => {
    const second = rerun({ state, responses: '{"q0":{}}' }, { now: NOW + TEN_MINUTES });
    const next = second.requestState({ q0: TOWN });
    assert.equal(rerun({ state: next }, { now: NOW + 2 * TEN_MINUTES }).continued, true);
  });
});

test("a state of up to 65536 characters is given, and none above", () => {
  const answered = (length: number): (() => string) => {
    const retry = { state: stateFor({ q0: NAME }), responses: `{"q0":{"a":"${"x".repeat(length)}"}}` };
    return () => rerun(retry).requestState({ q0: TOWN });
  };
  const bytes = (state: string): number => Buffer.from(state.slice("mayfly1.".length), "base64url").length;
  const fits = 48_000 + bytes("A".repeat(65_536)) - bytes(answered(48_000)());
  assert.equal(answered(fits)().length, 65_536);
  refused(answered(fits + 1), "STATE_TOO_LARGE", 200, -32_603);
});

describe("a state belongs", () => {
  const base = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1}}}';
  const binding = (text: string, principal = "p", configuration = "c"): string =>
    bindingOf(principal, configuration, message(text));

  test("to a request, whatever its id, its envelope, its space and its retry are", () => {
    const same =
      '{"id":"x","jsonrpc":"2.0","method":"tools/call", "params":{ "_meta":{"progressToken":1}, "name":"a","requestState":"s","arguments":{ "n":1 },"inputResponses":{} }}';
    assert.equal(binding(same), binding(base));
  });

  test("to one caller, one server, one method and one set of parameters", () => {
    const all = [
      binding(base),
      binding(base, "q"),
      binding(base, "p", "d"),
      binding(base, 'p","c'),
      binding(base, "pc", ""),
      binding(base.replace("tools/call", "prompts/get")),
      binding(base.replace('"a"', '"b"')),
      binding(base.replace('"n":1', '"n":1.0')),
      binding(base.replace('{"n":1}', "{}")),
      binding('{"id":1,"method":"tools/call"}'),
    ];
    assert.equal(new Set(all).size, all.length);
  });
});

test("very many answers are checked in a time that grows with their number", async () => {
  const many = (count: number): string =>
    `{${Array.from({ length: count }, (_, index) => `"${index}":{}`).join()}}`;
  const retry = request({ responses: many(50_000) });
  const effort = await effortOf(() => checkInputResponses(retry));
  assert.ok(effort < 2000, `${effort} ms of the processor`);
});
