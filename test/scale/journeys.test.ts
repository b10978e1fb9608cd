import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { STATE_SECRET } from "../contract.ts";
import { CLIENTS } from "../matrix/clients.ts";
import { until, within } from "../support/deadline.ts";
import { temporaryFolder, waitForLine } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { openStream } from "../support/live-stream.ts";
import type { Message } from "../support/live-stream.ts";
import { modern, modernCall } from "../support/modern.ts";
import { isAlive, waitUntilGone } from "../support/processes.ts";
import { call, initialize, notification, post, request } from "../support/rpc.ts";
import { textOf } from "../support/sessions.ts";
import { ask, instanceOf } from "./asking.ts";
import { BALANCER, LONG } from "./balancers.ts";
import { startFleet } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { sharedScope } from "../support/shared-scope.ts";
import { everything, fixtureServers } from "./servers.ts";

const WAIT_MS = 30_000;
const FIXTURES = [
  "echo",
  "legacy-asks",
  "legacy-watches",
  "modern-only",
  "modern-watches",
  "progress",
  "slow",
];
const COUNT = 4;
const UPDATED = "notifications/resources/updated";

describe(`${COUNT} instances behind ${BALANCER.name}`, { concurrency: false, skip: LONG }, () => {
  const [scope, token] = [sharedScope(), testToken()];
  let fleet: Fleet;
  before(async () => {
    const holding = fixtureServers(token, ["legacy-asks"], { inputMode: "hold" })["legacy-asks"];
    const mcpServers = {
      ...fixtureServers(token, FIXTURES, { inputMode: "rerun" }),
      everything: everything(token),
      ...(holding && { holds: holding }),
    };
    fleet = await startFleet(scope, {
      balancer: BALANCER,
      instances: COUNT,
      mcpServers,
      token,
      env: { STATE_SECRET },
    });
  });
  after(() => scope.end());

  const at = (server: string): string => `${fleet.url}/mcp/${server}`;

  /** Each came from another instance than the one before, and none was left out. */
  const inTurn = (instances: readonly string[]): void => {
    for (const [index, instance] of instances.entries()) assert.notEqual(instance, instances[index + 1]);
    const all = fleet.instances.map(({ address }) => address);
    assert.deepEqual([...new Set(instances)].toSorted(), all.toSorted());
  };

  test("a session token of one instance brings its client's handshake to all others", async () => {
    const clientInfo = { name: "came-before", version: "7" };
    const first = await ask(at("echo"), post(initialize({ clientInfo })));
    const headers = { "mcp-session-id": first.sessionId, "mcp-protocol-version": "2025-11-25" };
    const met = [first.instance];
    for (let index = 0; index < COUNT; index++) {
      const { instance, message } = await ask(at("echo"), post(call("handshake"), headers));
      const seen = JSON.parse(textOf(message)) as { readonly clientInfo: unknown };
      assert.deepEqual(seen.clientInfo, clientInfo);
      met.push(instance);
    }
    inTurn(met);
  });

  for (const server of ["echo", "modern-only"]) {
    test(`a client of 2026-07-28 discovers, lists and calls ${server}, each somewhere else`, async () => {
      const requests = [modern("server/discover"), modern("tools/list"), modernCall("echo", { a: 1 })];
      const met: string[] = [];
      for (const init of [...requests, ...requests]) {
        const { status, instance, message } = await ask(at(server), init);
        assert.deepEqual([status, message.error], [200, undefined]);
        met.push(instance);
      }
      inTurn(met);
    });
  }

  test("a tool asks twice, and each of its rounds runs somewhere else", async () => {
    const capabilities = { elicitation: {} };
    const inputResponses = { q0: { action: "accept", content: { name: "Ada", age: 36 } } };
    const [met, questions]: [string[], unknown[]] = [[], []];
    let requestState: string | undefined;
    for (let round = 0; ; round++) {
      const retry = requestState === undefined ? {} : { requestState, inputResponses };
      const { instance, message } = await ask(
        at("legacy-asks"),
        modernCall("ask-two", {}, { capabilities, ...retry }),
      );
      assert.notEqual(instance, met.at(-1));
      met.push(instance);
      if (message.result?.["resultType"] !== "input_required") {
        assert.match(textOf(message), /"answers":\[\{.*"Ada".*\},\{.*"Ada"/);
        break;
      }
      requestState = String(message.result["requestState"]);
      questions.push(message.result["inputRequests"]);
    }
    assert.deepEqual([questions.length, met.length], [2, 3]);
    assert.match(JSON.stringify(questions), /What is your name.*How old are you/);
  });

  test("progress comes through while the tool still waits", async (t) => {
    const gate = join(await temporaryFolder(t), "gate");
    const body = call("progress", { steps: 2, gate }, { meta: { progressToken: "p" } });
    const stream = await openStream(t, at("progress"), post(body));
    const step = (wanted: number) => (message: Message) =>
      message.method === "notifications/progress" && message.params?.["progress"] === wanted;
    for (const number of [1, 2]) {
      await stream.take(step(number), `step ${number}, before its gate is open`);
      await writeFile(`${gate}${number}`, "");
    }
    await stream.take(({ result }) => result !== undefined, "the result");
    await stream.ended();
  });

  for (const server of ["legacy-watches", "modern-watches"]) {
    test(`a subscription to ${server} hears of changes, and ends with its client`, async (t) => {
      const notifications = { resourceSubscriptions: ["watch:it"] };
      const stream = await openStream(t, at(server), modern("subscriptions/listen", { notifications }));
      for (const time of ["first", "second", "third"]) {
        await stream.take(({ method }) => method === UPDATED, `the ${time} change`);
      }
      stream.close();
      await waitUntilGone(token);
    });
  }

  test("a client that closes its connection ends the process, and the server is told", async (t) => {
    const folder = await temporaryFolder(t);
    for (let index = 0; index < COUNT; index++) {
      const file = join(folder, `log-${index}`);
      const leaving = new AbortController();
      const init = { ...post(call("wait", { file }, { id: 5 })), signal: leaving.signal };
      const failed = assert.rejects(fetch(at("slow"), init), { name: "AbortError" });
      await waitForLine(file, /^called/);
      leaving.abort();
      await within(failed, WAIT_MS, "the end of the request");
      await waitForLine(file, /^cancelled 5/);
      await waitUntilGone(token);
    }
  });

  test("a message that cancels a call of a session token is heard by the instance that runs it, and by no other", async (t) => {
    const file = join(await temporaryFolder(t), "log");
    const { sessionId } = await ask(at("slow"), post(initialize()));
    const headers = { "mcp-session-id": sessionId, "mcp-protocol-version": "2025-11-25" };
    const leaving = new AbortController();
    t.after(() => leaving.abort());
    const init = { ...post(call("wait", { file }, { id: 5 }), headers), signal: leaving.signal };
    const running = fetch(at("slow"), init).catch(() => undefined);
    const pid = Number((await waitForLine(file, /^called/)).split(" ")[1]);
    const cancel = post(notification("notifications/cancelled", { requestId: 5 }), headers);
    // In turn: the last of as many messages as there are instances meets the one that runs the call.
    for (let left = COUNT; left > 0; left--) {
      assert.ok(isAlive(pid));
      assert.equal((await fetch(at("slow"), cancel)).status, 202);
    }
    await waitForLine(file, /^cancelled 5/);
    await waitUntilGone(token);
    leaving.abort();
    await running;
  });

  test("a held process hears the answer at its own instance, and the others say that nobody waits", async (t) => {
    const first = await ask(at("holds"), post(initialize({ capabilities: { elicitation: {} } })));
    const headers = { "mcp-session-id": first.sessionId, "mcp-protocol-version": "2025-11-25" };
    const stream = await openStream(t, at("holds"), post(call("ask-one"), headers));
    const { id } = await stream.take(({ method }) => method === "elicitation/create", "the question");
    const answer = post({ jsonrpc: "2.0", id, result: { action: "decline" } }, headers);
    for (let left = COUNT - 1; left > 0; left--) {
      const { status, message } = await ask(at("holds"), answer);
      assert.equal(status, 400);
      assert.match(message.error?.message ?? "", /^No request waits for this response here/);
    }
    assert.equal((await fetch(at("holds"), answer)).status, 202);
    const { result } = await stream.take((message) => message.result !== undefined, "the result");
    assert.match(textOf({ ...(result && { result }) }), /decline/);
    await waitUntilGone(token);
  });

  const ERRORS = [
    {
      what: "an unknown server",
      path: "/mcp/none",
      init: post(request("ping")),
      status: 404,
      code: -32600,
    },
    { what: "a GET", path: "/mcp/echo", init: {}, status: 405, code: -32600 },
    {
      what: "a method that is gone",
      path: "/mcp/echo",
      init: modern("resources/subscribe", { uri: "a:" }),
      status: 404,
      code: -32601,
    },
    {
      what: "a header that contradicts",
      path: "/mcp/echo",
      init: modern("tools/list", {}, { headers: { "mcp-method": "tools/call" } }),
      status: 400,
      code: -32020,
    },
  ];
  for (const { what, path, init, status, code } of ERRORS) {
    test(`${what} is answered with the same error by every instance`, async () => {
      const answers = [];
      for (let index = 0; index < COUNT; index++) answers.push(await ask(fleet.url + path, init));
      inTurn(answers.map(({ instance }) => instance));
      for (const answer of answers) {
        assert.deepEqual([answer.status, answer.message.error?.code], [status, code]);
        assert.deepEqual(answer.message, answers[0]?.message);
      }
    });
  }

  test("no stream and no answer is kept for later by the balancer", async () => {
    const response = await fetch(at("echo"), post(request("ping")));
    assert.match(response.headers.get("cache-control") ?? "", /no-store|no-cache/);
    assert.ok(instanceOf(response));
    await response.body?.cancel();
  });

  for (const kind of CLIENTS) {
    test(`${kind.title} works with server-everything, all over the instances`, async () => {
      const before = fleet.logged();
      const user = (): Promise<never> => Promise.reject(new Error("nobody is asked here"));
      const client = await within(kind.connect(new URL(at("everything")), user), WAIT_MS, "connect");
      assert.equal(client.protocolVersion, kind.protocolVersion);
      for (let index = 0; index < COUNT; index++) {
        const tools = await within(client.listTools(), WAIT_MS, "tools/list");
        assert.ok(tools.some(({ name }) => name === "get-sum"));
        const { content } = await within(client.call("get-sum", { a: 2, b: 3 }), WAIT_MS, "tools/call");
        assert.match(content[0]?.text ?? "", /\b5\b/);
      }
      await client.close();
      const grown = (): boolean => fleet.logged().every((all, index) => all > (before[index] ?? 0));
      await until(grown, { withinMs: WAIT_MS, label: () => `requests: ${fleet.logged().join(", ")}` });
    });
  }

  for (const kind of CLIENTS.filter(({ protocolVersion }) => protocolVersion >= "2026")) {
    test(`${kind.title} is asked twice by one call, which three processes run`, async () => {
      const asked: string[] = [];
      const user = (message: string): Promise<Record<string, string | number>> => {
        asked.push(message);
        return Promise.resolve(message.includes("old") ? { age: 36 } : { name: "Ada" });
      };
      const client = await within(kind.connect(new URL(at("legacy-asks")), user), WAIT_MS, "connect");
      const { content } = await within(client.call("ask-two"), WAIT_MS, "tools/call");
      assert.deepEqual(asked, ["What is your name?", "How old are you?"]);
      assert.match(content[0]?.text ?? "", /\{"name":"Ada"\}.*\{"age":36\}/);
      await client.close();
    });
  }

  test("no process is left", () => waitUntilGone(token));
});
