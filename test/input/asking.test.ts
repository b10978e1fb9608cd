import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createSeal } from "../../lib/input/seal.ts";
import { until, within } from "../support/deadline.ts";
import { readEvents } from "../support/event-stream.ts";
import type { Frame } from "../support/event-stream.ts";
import { methodsOf, modern, modernCall, observe, textOf } from "../support/modern.ts";
import type { Answer, ModernOptions, Observed, ObservedOptions } from "../support/modern.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, initialize, post } from "../support/rpc.ts";
import type { Params } from "../support/rpc.ts";

const SECRET = "a secret of the tests that is long enough";
const ADA = { action: "accept", content: { name: "Ada" } };
const AGE = { action: "accept", content: { age: 36 } };
const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const ASKED = { capabilities: CAPABILITIES };
const RERUN: ObservedOptions = { inputMode: "rerun", stateSecrets: [SECRET] };
const HOLD: ObservedOptions = { inputMode: "hold" };

interface InputRequired {
  readonly inputRequests: Readonly<Record<string, { readonly method: string; readonly params?: Params }>>;
  readonly requestState: string;
}

function inputOf({ result, error }: Answer): InputRequired {
  assert.equal(result?.["resultType"], "input_required", JSON.stringify(result ?? error));
  return result as unknown as InputRequired;
}

/** What `legacy-asks` heard, and in which process. */
function heardOf(answer: Answer): { readonly answers: readonly unknown[]; readonly pid: number } {
  return JSON.parse(textOf(answer)) as { answers: unknown[]; pid: number };
}

/** Retries that are about something else than what was asked. The true call has the argument a = 1. */
const CHANGES: Readonly<Record<string, (requestState: string) => RequestInit>> = {
  "a changed state": (state) => retryWith(state.slice(0, -1) + (state.endsWith("A") ? "B" : "A")),
  "half a state": (state) => retryWith(state.slice(0, state.length / 2)),
  "something added to its state": (state) => retryWith(`${state}=`),
  "other arguments": (state) => retryWith(state, { a: 2 }),
  "another tool": (state) =>
    modernCall("ask-two", { a: 1 }, { ...ASKED, id: 7, requestState: state, inputResponses: { q0: ADA } }),
};

function retryWith(requestState: string, args: Params = { a: 1 }): RequestInit {
  return modernCall("ask-one", args, { ...ASKED, id: 7, requestState, inputResponses: { q0: ADA } });
}

for (const [mode, options] of [
  ["rerun", RERUN],
  ["hold", HOLD],
] as const) {
  describe(`under ${mode}, a modern client`, () => {
    test("is asked although the server talks on without a pause", async (t) => {
      const server = observe(t, "legacy-asks-talking", { ...options, requestTimeoutMs: 3000 });
      inputOf(await server.ask(modernCall("ask", {}, ASKED)));
    });

    test("sees the tools that a server has for clients like it", async (t) => {
      const server = observe(t, "legacy-asks", options);
      await server.ask(modern("tools/list", {}, ASKED));
      const sent = server.received().find(({ method }) => method === "initialize");
      const params = sent?.["params"] as { readonly capabilities: Params } | undefined;
      assert.deepEqual(params?.capabilities, CAPABILITIES);
    });

    test("is asked by a legacy server, as a modern server would ask", async (t) => {
      const server = observe(t, "legacy-asks", options);
      const { inputRequests, requestState } = inputOf(await server.ask(modernCall("ask-one", {}, ASKED)));
      assert.deepEqual(Object.keys(inputRequests), ["q0"]);
      assert.equal(inputRequests["q0"]?.method, "elicitation/create");
      assert.equal(inputRequests["q0"].params?.["mode"], "form");
      assert.ok(requestState.length > 20);
      const retry = { ...ASKED, id: 2, requestState, inputResponses: { q0: ADA } };
      const answer = await server.ask(modernCall("ask-one", {}, retry));
      assert.deepEqual([answer.id, heardOf(answer).answers], [2, [ADA]]);
      await waitUntilGone(server.token);
    });

    test("is asked two questions at once, answers one, and is asked the other again", async (t) => {
      const server = observe(t, "legacy-asks", options);
      const first = inputOf(await server.ask(modernCall("ask-parallel", {}, ASKED)));
      assert.deepEqual(Object.keys(first.inputRequests), ["q0", "q1"]);
      const half = { ...ASKED, requestState: first.requestState, inputResponses: { q1: AGE, other: ADA } };
      const second = inputOf(await server.ask(modernCall("ask-parallel", {}, half)));
      assert.deepEqual(
        Object.values(second.inputRequests).map(({ params }) => params?.["message"]),
        ["What is your name?"],
      );
      const whole = { ...ASKED, requestState: second.requestState, inputResponses: { q0: ADA } };
      const { answers } = heardOf(await server.ask(modernCall("ask-parallel", {}, whole)));
      assert.deepEqual(answers, [ADA, AGE]);
    });

    test("is asked for a visit, a sample and its roots", async (t) => {
      const server = observe(t, "legacy-asks", options);
      for (const [tool, method, answer] of [
        ["ask-url", "elicitation/create", { action: "accept" }],
        [
          "sample",
          "sampling/createMessage",
          { role: "assistant", content: { type: "text", text: "hi" }, model: "m" },
        ],
        ["roots", "roots/list", { roots: [{ uri: "file:///tmp" }] }],
      ] as const) {
        const { inputRequests, requestState } = inputOf(await server.ask(modernCall(tool, {}, ASKED)));
        assert.equal(inputRequests["q0"]?.method, method);
        assert.ok(!("elicitationId" in (inputRequests["q0"].params ?? {})));
        const retry = { ...ASKED, requestState, inputResponses: { q0: answer } };
        assert.deepEqual(heardOf(await server.ask(modernCall(tool, {}, retry))).answers, [answer]);
      }
    });

    test("is asked only what it has declared", async (t) => {
      const server = observe(t, "legacy-asks", options);
      const without = await server.ask(modernCall("ask-one", {}, { capabilities: { sampling: {} } }));
      assert.equal(textOf(without), "no elicitation");
      const form = await server.ask(modernCall("ask-url", {}, { capabilities: { elicitation: {} } }));
      assert.equal(textOf(form), "no elicitation");
    });

    for (const [what, change] of Object.entries(CHANGES)) {
      test(`that comes back with ${what} is refused, and nothing is started`, async (t) => {
        const server = observe(t, "legacy-asks", options);
        const { requestState } = inputOf(await server.ask(modernCall("ask-one", { a: 1 }, ASKED)));
        server.started();
        const changed = change(requestState);
        const { status, error, id } = await server.ask(changed);
        assert.deepEqual([status, error?.code, id, server.started()], [400, -32602, 7, 0]);
      });
    }

    test("that answers with something else than an object is told so", async (t) => {
      const server = observe(t, "legacy-asks", options);
      const { requestState } = inputOf(await server.ask(modernCall("ask-one", {}, ASKED)));
      const retry = { ...ASKED, requestState, inputResponses: { q0: "Ada" } };
      const { error } = await server.ask(modernCall("ask-one", {}, retry));
      assert.equal(error?.code, -32602);
      assert.match(error.message, /inputResponses is not valid \(q0\)/);
    });
  });
}

describe("under rerun", () => {
  test("a two-question call takes three processes, and none waits in between", async (t) => {
    const server = observe(t, "legacy-asks", RERUN);
    const first = inputOf(await server.ask(modernCall("ask-two", {}, ASKED)));
    await waitUntilGone(server.token);
    const again = { ...ASKED, requestState: first.requestState, inputResponses: { q0: ADA } };
    const second = inputOf(await server.ask(modernCall("ask-two", {}, again)));
    assert.equal(second.inputRequests["q0"]?.params?.["message"], "How old are you?");
    await waitUntilGone(server.token);
    const last = { ...ASKED, requestState: second.requestState, inputResponses: { q0: AGE } };
    const { answers } = heardOf(await server.ask(modernCall("ask-two", {}, last)));
    assert.deepEqual([answers, server.started()], [[ADA, AGE], 3]);
  });

  test("a tool that does not say it may run again runs once, and is told why it may not ask", async (t) => {
    const server = observe(t, "legacy-asks", RERUN);
    const [answer] = heardOf(await server.ask(modernCall("ask-unsafe", {}, ASKED))).answers;
    const { error } = answer as { error: { code: number; message: string } };
    assert.equal(error.code, -32601);
    assert.match(error.message, /neither readOnlyHint nor idempotentHint/);
    assert.equal(server.started(), 1);
    server.received();
    assert.ok((await server.ask(modernCall("ask-unsafe", {}, ASKED))).result);
    assert.ok(!methodsOf(server.received()).includes("tools/list"), "the tools were asked for again");
  });

  test("every tool may be asked to run again, if the operator says so", async (t) => {
    const server = observe(t, "legacy-asks", { ...RERUN, config: { rerun: "always" } });
    inputOf(await server.ask(modernCall("ask-unsafe", {}, ASKED)));
    assert.ok(!methodsOf(server.received()).includes("tools/list"));
  });

  test("another instance with the same secret, or the older of its secrets, goes on", async (t) => {
    const first = observe(t, "legacy-asks", RERUN);
    const { requestState } = inputOf(await first.ask(modernCall("ask-one", {}, ASKED)));
    const retry = modernCall("ask-one", {}, { ...ASKED, requestState, inputResponses: { q0: ADA } });
    for (const stateSecrets of [[SECRET], ["x".repeat(32), SECRET]]) {
      const second = sameServer(t, first, { ...RERUN, stateSecrets });
      assert.deepEqual(heardOf(await second.ask(retry)).answers, [ADA]);
    }
    const other = sameServer(t, first, { ...RERUN, stateSecrets: ["x".repeat(32)] });
    assert.deepEqual([(await other.ask(retry)).error?.code, other.started()], [-32602, 0]);
  });

  test("a state that has expired is refused, and nothing is started", async (t) => {
    const server = observe(t, "legacy-asks", RERUN);
    const { requestState } = inputOf(await server.ask(modernCall("ask-one", { a: 1 }, ASKED)));
    server.started();
    // What the host itself would find in its hands a second too late.
    const seal = createSeal([SECRET]);
    const state = JSON.parse(seal.open(requestState) ?? "") as { expires: number };
    const [late, inTime] = [-1, 60_000].map((ms) =>
      seal.seal(JSON.stringify({ ...state, expires: Date.now() + ms })),
    );
    const { status, error } = await server.ask(retryWith(late ?? ""));
    assert.deepEqual([status, error?.code, server.started()], [400, -32602, 0]);
    assert.ok((await server.ask(retryWith(inTime ?? ""))).result);
    const minutes = (state.expires - Date.now()) / 60_000;
    assert.ok(minutes > 9 && minutes <= 10, `it would have lasted ${minutes} minutes`);
  });

  test("a state that some modern server has given is refused once the server is known to be legacy", async (t) => {
    const server = observe(t, "legacy-asks", RERUN);
    const foreign = modernCall("ask-one", {}, { ...ASKED, requestState: "opaque" });
    const first = await server.ask(foreign);
    assert.deepEqual([first.status, first.error?.code], [400, -32602]);
    assert.ok(!methodsOf(server.received()).includes("tools/call"), "the request reached the server");
    server.started();
    assert.deepEqual([(await server.ask(foreign)).error?.code, server.started()], [-32602, 0]);
  });

  test("a legacy client is not asked", async (t) => {
    const server = observe(t, "legacy-asks", RERUN);
    assert.equal(textOf(await server.ask(post(call("ask-one")))), "no elicitation");
  });
});

function sameServer(t: Parameters<typeof observe>[0], first: Observed, options: ObservedOptions): Observed {
  return observe(t, "legacy-asks", { ...options, token: first.token });
}

describe("under hold", () => {
  test("one process hears every answer, and is gone after the last", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    const first = inputOf(await server.ask(modernCall("ask-two", {}, ASKED)));
    const [waiting] = processesWith(server.token);
    const again = { ...ASKED, requestState: first.requestState, inputResponses: { q0: ADA } };
    const second = inputOf(await server.ask(modernCall("ask-two", {}, again)));
    assert.notEqual(second.requestState, first.requestState);
    const last = { ...ASKED, requestState: second.requestState, inputResponses: { q0: AGE } };
    const { answers, pid } = heardOf(await server.ask(modernCall("ask-two", {}, last)));
    assert.deepEqual([answers, pid, server.started()], [[ADA, AGE], waiting?.pid, 1]);
    await waitUntilGone(server.token);
  });

  test("a handle is good for once", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    const { requestState } = inputOf(await server.ask(modernCall("ask-one", {}, ASKED)));
    const retry = modernCall("ask-one", {}, { ...ASKED, requestState, inputResponses: { q0: ADA } });
    assert.ok((await server.ask(retry)).result);
    const { error } = await server.ask(retry);
    assert.match(error?.message ?? "", /continuation expired/);
  });

  test("no more than half of the places are held, and the oldest gives way", async (t) => {
    const server = observe(t, "legacy-asks", { ...HOLD, maxProcesses: 4 });
    const states: string[] = [];
    for (const _ of [1, 2, 3])
      states.push(inputOf(await server.ask(modernCall("ask-one", {}, ASKED))).requestState);
    await until(() => processesWith(server.token).length === 2, {
      withinMs: 3000,
      label: "the oldest is gone",
    });
    const retry = (requestState: string | undefined) =>
      server.ask(modernCall("ask-one", {}, { ...ASKED, requestState, inputResponses: { q0: ADA } }));
    assert.equal((await retry(states[0])).error?.code, -32602);
    assert.deepEqual(heardOf(await retry(states[1])).answers, [ADA]);
    assert.deepEqual(heardOf(await retry(states[2])).answers, [ADA]);
  });

  test("a retry that is refused for its headers leaves the process to wait for a better one", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    await server.ask(modern("tools/list"));
    const args = { region: "eu" };
    const from = (region: string, retry: object = {}): RequestInit =>
      modernCall("ask-one", args, { ...ASKED, ...retry, headers: { "mcp-param-region": region } });
    const { requestState } = inputOf(await server.ask(from("eu")));
    const retry = { requestState, inputResponses: { q0: ADA } };
    assert.equal((await server.ask(from("us", retry))).error?.code, -32020);
    assert.deepEqual(heardOf(await server.ask(from("eu", retry))).answers, [ADA]);
  });

  test("a client that leaves when it has read the question finds its process all the same", async (t) => {
    const server = observe(t, "legacy-asks", { ...HOLD, streamAfterMs: 0 });
    const events = readEvents(await server.send(modernCall("ask-one", {}, ASKED)));
    const { requestState } = inputOf(await nextMessage(events));
    await events.return();
    const retry = modernCall("ask-one", {}, { ...ASKED, requestState, inputResponses: { q0: ADA } });
    assert.deepEqual(heardOf(await server.ask(retry)).answers, [ADA]);
  });

  test("a retry whose answers are none leaves the process to wait for better ones", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    const { requestState } = inputOf(await server.ask(modernCall("ask-parallel", {}, ASKED)));
    const retry = (q1: unknown) =>
      server.ask(modernCall("ask-parallel", {}, { ...ASKED, requestState, inputResponses: { q0: ADA, q1 } }));
    assert.equal((await retry("x")).error?.code, -32602);
    assert.deepEqual(heardOf(await retry(AGE)).answers, [ADA, AGE]);
  });

  test("subscriptions and open questions together leave half of the places to others", async (t) => {
    const server = observe(t, "legacy-asks", { ...HOLD, listen: "serve", maxProcesses: 4 });
    const subscriptions = [];
    for (const id of ["a", "b"]) {
      const init = modern("subscriptions/listen", { notifications: {} }, { id });
      const events = readEvents(await server.send(init));
      await nextMessage(events);
      subscriptions.push(events);
    }
    const { status, error } = await server.ask(modernCall("ask-one", {}, ASKED));
    assert.deepEqual([status, error?.data?.["reason"]], [503, "overloaded"]);
    assert.ok((await server.ask(modern("tools/list"))).result);
    for (const events of subscriptions) await events.return();
    inputOf(await server.ask(modernCall("ask-one", {}, ASKED)));
  });

  test("closing ends the processes that wait", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    inputOf(await server.ask(modernCall("ask-one", {}, ASKED)));
    assert.equal(processesWith(server.token).length, 1);
    await server.close();
    await waitUntilGone(server.token);
  });

  test("a legacy client is asked on the stream of its call, and answers with a POST", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    const headers = { "mcp-session-id": await sessionOf(server, { elicitation: {} }) };
    const response = await server.send(post(call("ask-one", {}, { id: 5 }), headers));
    const events = readEvents(response);
    const question = JSON.parse((await events.next()).value?.data ?? "") as { id: string; method: string };
    assert.equal(question.method, "elicitation/create");
    assert.match(question.id, /^[0-9a-f-]{36}$/);
    const answer = post({ jsonrpc: "2.0", id: question.id, result: ADA }, headers);
    assert.equal((await server.send(answer)).status, 202);
    const last = JSON.parse((await events.next()).value?.data ?? "") as Answer;
    assert.deepEqual([last.id, heardOf(last).answers], [5, [ADA]]);
    const late = await server.ask(answer);
    assert.deepEqual([late.status, late.error?.code], [400, -32600]);
  });

  test("a legacy client that declines by an error lets the server know it", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    const headers = { "mcp-session-id": await sessionOf(server, { elicitation: {} }) };
    const events = readEvents(await server.send(post(call("ask-one"), headers)));
    const { id } = JSON.parse((await events.next()).value?.data ?? "") as { id: string };
    const error = { code: -32603, message: "no user" };
    await server.send(post({ jsonrpc: "2.0", id, error }, headers));
    const last = JSON.parse((await events.next()).value?.data ?? "") as Answer;
    assert.deepEqual(heardOf(last).answers, [{ error }]);
  });

  test("a legacy client that reads no stream, or has declared nothing, is not asked", async (t) => {
    const server = observe(t, "legacy-asks", HOLD);
    const headers = { "mcp-session-id": await sessionOf(server, { elicitation: {} }) };
    const json = await server.ask(post(call("ask-one"), { ...headers, accept: "application/json" }));
    assert.equal(textOf(json), "no elicitation");
    assert.equal(textOf(await server.ask(post(call("ask-one")))), "no elicitation");
  });
});

/** The next message of a stream that may have comments too. */
async function nextMessage(events: AsyncGenerator<Frame, void, void>): Promise<Answer> {
  for (;;) {
    const { value } = await within(events.next(), 5000, "a message of the stream");
    if (!value) throw new Error("the stream has ended");
    if (value.data !== undefined) return JSON.parse(value.data) as Answer;
  }
}

async function sessionOf(server: Observed, capabilities: Params): Promise<string> {
  const response = await server.send(post(initialize({ capabilities })));
  await response.text();
  return response.headers.get("mcp-session-id") ?? "";
}

describe("where questions are refused", () => {
  test("the server is told beforehand that there is nobody to ask", async (t) => {
    const server = observe(t, "legacy-asks");
    for (const init of [modernCall("ask-one", {}, ASKED), post(call("ask-one"))]) {
      assert.equal(textOf(await server.ask(init)), "no elicitation");
    }
  });

  test("a state is refused, since none was given", async (t) => {
    const server = observe(t, "legacy-asks");
    const { error } = await server.ask(modernCall("ask-one", {}, { ...ASKED, requestState: "x" }));
    assert.equal(error?.code, -32602);
    assert.ok(!methodsOf(server.received()).includes("tools/call"));
  });
});

describe("a legacy server that requires a visit", () => {
  test("makes a modern client that can ask for it", async (t) => {
    const server = observe(t, "legacy-asks");
    const answer = await server.ask(modernCall("url-required", {}, ASKED));
    const { inputRequests, requestState } = inputOf(answer);
    const params = {
      mode: "url",
      url: "https://example.com/connect",
      message: "Please connect your account",
    };
    assert.deepEqual(inputRequests, { u0: { method: "elicitation/create", params } });
    assert.equal(requestState, undefined);
  });

  test("is told to a modern client that cannot, with what it lacks", async (t) => {
    const server = observe(t, "legacy-asks");
    const capabilities: ModernOptions["capabilities"] = { elicitation: {} };
    const { status, error } = await server.ask(modernCall("url-required", {}, { capabilities }));
    assert.deepEqual([status, error?.code], [400, -32021]);
    assert.deepEqual(error?.data, { requiredCapabilities: { elicitation: { url: {} } } });
  });

  test("passes as it is to a legacy client", async (t) => {
    const { status, error } = await observe(t, "legacy-asks").ask(post(call("url-required")));
    assert.deepEqual([status, error?.code], [200, -32042]);
  });
});
