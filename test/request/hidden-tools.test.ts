import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import type { ToolFilter } from "../../lib/configuration/options.ts";
import { readAll } from "../support/event-stream.ts";
import { modern, modernCall, methodsOf, observe, textOf } from "../support/modern.ts";
import type { Answer, Observed, ObservedOptions } from "../support/modern.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, post, request } from "../support/rpc.ts";
import type { Post } from "../support/rpc.ts";

const SECRET = "a secret of the tests that is long enough";
const JSON_ONLY = { accept: "application/json" };

function hiding(t: TestContext, name: string, tools: ToolFilter, options: ObservedOptions = {}): Observed {
  return observe(t, name, { ...options, config: { ...options.config, tools } });
}

function namesOf({ result }: Answer): unknown[] {
  const { tools } = result as { readonly tools: readonly { readonly name: string }[] };
  return tools.map(({ name }) => name);
}

/** A client of each era, with a list of tools and a call of one. */
const CLIENTS = {
  legacy: {
    list: (): Post => post(request("tools/list")),
    call: (name: string): Post => post(call(name)),
  },
  modern: {
    list: (): Post => modern("tools/list"),
    call: (name: string): Post => modernCall(name),
  },
} as const;

for (const [era, client] of Object.entries(CLIENTS)) {
  for (const server of ["echo", "dual", "modern-only"]) {
    describe(`a ${era} client of ${server}`, () => {
      test("sees what is not hidden, and calls it", async (t) => {
        const { ask, token } = hiding(t, server, { allow: ["e*"], deny: ["era"] });
        assert.deepEqual(namesOf(await ask(client.list())), ["echo"]);
        assert.match(textOf(await ask(client.call("echo"))), /"echo"/);
        await waitUntilGone(token);
      });

      test("is told that a hidden tool is unknown, and nothing is started for that", async (t) => {
        const { ask, started } = hiding(t, server, { deny: ["echo"] });
        for (const name of ["echo", "echo"]) {
          const { status, id, error } = await ask(client.call(name));
          assert.deepEqual([status, id, error], [200, 1, { code: -32602, message: "Unknown tool: echo" }]);
        }
        assert.equal(started(), 0);
      });
    });
  }
}

describe("a hidden tool", () => {
  const DENIED: ToolFilter = { deny: ["delete_*"] };

  test("is left out of every page, of which every other byte stays", async (t) => {
    const { send } = hiding(t, "lists-tools", DENIED);
    const page = async (cursor: string): Promise<string> => {
      const response = await send(post(request("tools/list", { cursor }), JSON_ONLY));
      return (await response.text()).replace('{"jsonrpc":"2.0","id":1,"result":', "").slice(0, -1);
    };
    assert.equal(
      await page("1"),
      '{"tools": [ {"name":"get_a","n":9007199254740993} ,{"title":"\u2028","name":"get_\\u0062"} ],' +
        '"nextCursor":"2" , "x":1.0}',
    );
    assert.equal(await page("2"), '{"tools":[  ],"nextCursor":"3"}');
    assert.equal(await page("3"), '{"tools":[{"name":"get_c"}]}');
  });

  test("is left out for a modern client, beside what translation adds", async (t) => {
    const { ask } = hiding(t, "lists-tools", DENIED);
    const answer = await ask(modern("tools/list", { cursor: "2" }));
    const { tools, nextCursor, resultType, ttlMs } = answer.result ?? {};
    assert.deepEqual([tools, nextCursor, resultType, ttlMs], [[], "3", "complete", 0]);
  });

  test("is the only element of a batch that is refused", async (t) => {
    const { send, received, started } = hiding(t, "lists-tools", DENIED);
    const batch = [
      call("get_a", {}, { id: "a" }),
      call("delete_a", {}, { id: "b" }),
      request("tools/call", {}, "c"),
      request("tools/list", {}, "d"),
    ];
    const response = await send(post(batch, JSON_ONLY));
    const answers = (await response.json()) as Answer[];
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    assert.deepEqual([response.status, byId.size], [200, 4]);
    assert.equal(textOf(byId.get("a") ?? {}), "called get_a");
    assert.deepEqual(byId.get("b")?.error, { code: -32602, message: "Unknown tool: delete_a" });
    assert.deepEqual(byId.get("c")?.error, { code: -32602, message: "Unknown tool: (none)" });
    assert.deepEqual(namesOf(byId.get("d") ?? {}), ["get_a", "get_b"]);
    const calls = methodsOf(received()).filter((method) => method === "tools/call");
    assert.deepEqual([started(), calls.length], [1, 1]);
  });

  test("starts nothing if all elements of a batch are about it", async (t) => {
    const { send, started } = hiding(t, "lists-tools", DENIED);
    const batch = [call("delete_a", {}, { id: 1 }), call("delete_b", {}, { id: 2 })];
    const answers = (await (await send(post(batch))).json()) as Answer[];
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error?.message]),
      [
        [1, "Unknown tool: delete_a"],
        [2, "Unknown tool: delete_b"],
      ],
    );
    assert.equal(started(), 0);
  });

  test("is left out of event streams too, and refused in them", async (t) => {
    const { send } = hiding(t, "lists-tools", DENIED, { streamAfterMs: 1 });
    const list = request("tools/list", {}, "list");
    for (const body of [list, [call("delete_a", {}, { id: "call" }), list]]) {
      const response = await send(post(body));
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      const frames = await readAll(response);
      const answers = frames.flatMap(({ data }) => (data ? (JSON.parse(data) as Answer | Answer[]) : []));
      assert.equal(answers.length, Array.isArray(body) ? 2 : 1);
      const [last, first] = answers.toReversed();
      assert.deepEqual(namesOf(last ?? {}), ["get_a", "get_b"]);
      if (first) assert.equal(first.error?.message, "Unknown tool: delete_a");
    }
  });

  test("is not told apart by headers that only its schema explains", async (t) => {
    const { ask, started } = hiding(t, "legacy-asks", { deny: ["ask-one"] });
    // Now its schema is known here, and asks for the header.
    assert.ok(!namesOf(await ask(modern("tools/list"))).includes("ask-one"));
    started();
    const { error } = await ask(modernCall("ask-one", { region: "eu" }));
    assert.deepEqual([error?.message, started()], ["Unknown tool: ask-one", 0]);
    const visible = await ask(modernCall("ask-two", { region: "eu" }));
    assert.equal(visible.error?.code, -32020, "visible tools are learned as before");
  });

  test("is named in the log, and its arguments are not", async (t) => {
    const lines: unknown[] = [];
    const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
    const logger = { debug: note, info: note, warn: note, error: note };
    const { ask } = hiding(t, "lists-tools", DENIED, { logger });
    await ask(post(call("delete_a", { token: "s3cret" })));
    assert.deepEqual(lines, [
      { server: "only", tool: "delete_a", code: "TOOL_NOT_KNOWN", message: "refused" },
    ]);
  });
});

describe("a retry", () => {
  const ASKED = { capabilities: { elicitation: {} } };
  const ANSWERED = { q0: { action: "decline" } };
  const stateOf = ({ result, error }: Answer): string => {
    assert.equal(result?.["resultType"], "input_required", JSON.stringify(error));
    return String(result["requestState"]);
  };

  test("of a tool that has been hidden meanwhile is refused under rerun", async (t) => {
    const options: ObservedOptions = { inputMode: "rerun", stateSecrets: [SECRET] };
    const before = observe(t, "legacy-asks", options);
    const requestState = stateOf(await before.ask(modernCall("ask-one", {}, ASKED)));
    const after = hiding(t, "legacy-asks", { deny: ["ask-one"] }, { ...options, token: before.token });
    const retry = modernCall("ask-one", {}, { ...ASKED, requestState, inputResponses: ANSWERED });
    const { status, error } = await after.ask(retry);
    assert.deepEqual([status, error?.message, after.started()], [200, "Unknown tool: ask-one", 0]);
    assert.ok((await before.ask(retry)).result);
  });

  test("of a hidden tool under hold leaves the process to the call that it waits for", async (t) => {
    const server = hiding(t, "legacy-asks", { deny: ["ask-two"] }, { inputMode: "hold" });
    const requestState = stateOf(await server.ask(modernCall("ask-one", {}, ASKED)));
    const retry = { ...ASKED, requestState, inputResponses: ANSWERED };
    const { error } = await server.ask(modernCall("ask-two", {}, retry));
    assert.equal(error?.message, "Unknown tool: ask-two");
    assert.ok((await server.ask(modernCall("ask-one", {}, retry))).result);
    assert.equal(server.started(), 1);
    await waitUntilGone(server.token);
  });
});
