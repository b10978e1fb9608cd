import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";

import { LEGACY_VERSIONS } from "../../lib/revisions.ts";
import { FIXTURES } from "../contract.ts";
import { CHILDREN, configOf } from "../matrix/children.ts";
import { modern } from "../support/modern.ts";
import { initialize, post, request } from "../support/rpc.ts";
import { build, counted, program, real, seen } from "./recorded.ts";
import type { Configured, Counted } from "./recorded.ts";

const LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

type Question = readonly [title: string, init: RequestInit];

/** What clients ask before they call anything, under ids of all kinds. */
function questionsOf(versions: readonly string[]): Question[] {
  const legacy = versions.flatMap((version): Question[] => [
    [`initialize of ${version}`, post(initialize({ protocolVersion: version }))],
    ...LISTS.map((method): Question => {
      return [`${method} of ${version}`, post(request(method, {}, "a"), { "mcp-protocol-version": version })];
    }),
  ]);
  const bare = LISTS.map((method): Question => [`${method} of nobody`, post(request(method))]);
  const modernOnes = ["server/discover", ...LISTS].map((method): Question => {
    return [`modern ${method}`, modern(method, {}, { id: 0 })];
  });
  return [...legacy, ...bare, ...modernOnes];
}

const ONLY_JSON = { "content-type": "application/json", accept: "application/json" };
const FORMS: readonly Question[] = [
  ["a batch of one", post([request("tools/list")])],
  ["without streams", { ...post(request("tools/list")), headers: ONLY_JSON }],
  ["a progress token", post(request("tools/list", { _meta: { progressToken: 7 } }))],
  ["an id beyond doubles", post('{"jsonrpc":"2.0","method":"tools/list","id":9007199254740991}')],
];
const ALL = [...questionsOf(LEGACY_VERSIONS), ...FORMS];
const NEWEST = questionsOf(LEGACY_VERSIONS.slice(0, 1));
const WITHOUT_VERSION = questionsOf([]);
/** Each costs a process, and those of an SDK take their time: one question of each kind. */
const FEW: readonly Question[] = [
  ["initialize", post(initialize())],
  ["tools/list", post(request("tools/list"))],
  ["modern server/discover", modern("server/discover")],
  ["modern tools/list", modern("tools/list")],
];

/** All are asked at once, and a process that takes its time must not become an event stream. */
const BUSY = {
  snapshot: false,
  maxProcesses: 4,
  maxQueued: 100,
  queueTimeoutMs: 60_000,
  streamAfterMs: 60_000,
};

describe("an answer from a snapshot is that of a process, byte for byte", () => {
  type Row = readonly [name: string, config: Configured, questions: readonly Question[]];
  const fixtureRow = (name: string, questions: readonly Question[]): Row => [
    `the fixture ${name}`,
    program(join(FIXTURES, `${name}.mjs`)),
    questions,
  ];
  const rows: readonly Row[] = [
    ...CHILDREN.map((child): Row => [
      `the server ${child.name} of the matrix`,
      (token) => configOf(child, token),
      FEW,
    ]),
    ...["declares-everything", "dual"].map((name) => fixtureRow(name, ALL)),
    ...["lists-odd-tool", "lists-tools", "modern-only"].map((name) => fixtureRow(name, NEWEST)),
    ["server-everything", real("server-everything", "stdio"), WITHOUT_VERSION],
    ["server-memory", real("server-memory"), FEW],
  ];
  for (const [name, config, questions] of rows) {
    test(name, async (t) => {
      const built = await build(t, config);
      const [recorded, plain] = [counted(t, built), counted(t, built, BUSY)];
      // A process that is asked for its era answers a first time what it then need not be asked for.
      for (const init of [post(initialize()), modern("server/discover")]) await plain.post(init);
      await Promise.all(
        questions.map(async ([title, init]) => {
          const expected = await seen(await plain.post(init));
          assert.equal(await seen(await recorded.post(init)), expected, title);
        }),
      );
      assert.equal(recorded.started(), 0, "a snapshot starts nothing");
      assert.ok(plain.started() >= questions.length);
    });
  }
});

test("a batch has all its answers, in whatever order", async (t) => {
  const built = await build(t, program(join(FIXTURES, "echo.mjs")));
  const init = post([request("tools/list", {}, 1), request("prompts/list", {}, 2), request("ping", {}, 3)]);
  const answersOf = async ({ post }: Counted): Promise<unknown[]> => {
    const answers = (await (await post(init)).json()) as { readonly id: number }[];
    return answers.toSorted((one, two) => one.id - two.id);
  };
  const recorded = counted(t, built);
  assert.deepEqual(await answersOf(recorded), await answersOf(counted(t, built, { snapshot: false })));
  assert.equal(recorded.started(), 0);
});

test("clients that share a filter are shown the same tools", async (t) => {
  const config = program(join(FIXTURES, "lists-tools.mjs"));
  const built = await build(t, (token) => ({ ...config(token), tools: { deny: ["delete_*"] } }));
  const [recorded, plain] = [counted(t, built), counted(t, built, { snapshot: false })];
  for (const init of [post(request("tools/list")), modern("tools/list")]) {
    const expected = await seen(await plain.post(init));
    assert.equal(await seen(await recorded.post(init)), expected);
    assert.doesNotMatch(expected, /delete_/);
  }
  assert.equal(recorded.started(), 0);
});
