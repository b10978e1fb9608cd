import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createLegacyBeforeLegacy } from "../../../lib/connect/relays/legacy-before-legacy.ts";
import { createModernBeforeModern } from "../../../lib/connect/relays/modern-before-modern.ts";
import type { ModernRemote } from "../../../lib/connect/remote.ts";
import { MayflyError } from "../../../lib/errors.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../../../lib/jsonrpc.ts";
import { silentLogger } from "../../../lib/logger.ts";
import { deferred } from "../../../lib/promises.ts";
import { until, within } from "../../support/deadline.ts";
import { initialize, notification, request } from "../../support/rpc.ts";
import { heardClient, message } from "../../support/stdio-client.ts";

const ODD = '{"jsonrpc":"2.0", "id":5,"method":"x/y","zz":1.0,"params":{"n":12345678901234567890}}';

describe("a legacy client before a legacy remote", () => {
  const legacy = () => {
    const client = heardClient();
    const sent: string[] = [];
    const answer = message<ResponseValue>({ jsonrpc: "2.0", id: 0, result: { serverInfo: {} } });
    const relay = createLegacyBeforeLegacy({
      remote: {
        era: "legacy",
        answer,
        send: async ({ text }) => void sent.push(text),
        close: async () => undefined,
      },
      client,
      logger: silentLogger,
    });
    return { relay, client, sent, answer };
  };

  test("sends everything on as it was written, and hears everything so", async () => {
    const { relay, client, sent } = legacy();
    const answer = '{"jsonrpc":"2.0","id":5,"result":{"n":12345678901234567890,"f":1.0}}';
    const question = '{"jsonrpc":"2.0","id":"q","method":"roots/list"}';
    await relay.receive(message(ODD));
    await relay.receive(message(notification("notifications/odd")));
    await relay.hear(message(question), undefined);
    await relay.hear(message(answer), undefined);
    assert.deepEqual(sent, [ODD, JSON.stringify(notification("notifications/odd"))]);
    assert.deepEqual(client.texts, [question, answer]);
  });

  test("has its handshake answered with what the session was opened with, under its own id", async () => {
    const { relay, client, sent, answer } = legacy();
    await relay.receive(message(initialize({ id: 0 })));
    await relay.receive(message(initialize({ id: 9 })));
    assert.equal(client.texts[0], answer.text);
    assert.equal(client.texts[1], answer.text.replace('"id":0', '"id":9'));
    assert.deepEqual(sent, []);
  });

  test("is told nothing any more once the relay is closed", async () => {
    const { relay, client } = legacy();
    await relay.close();
    await relay.hear(message({ jsonrpc: "2.0", id: 1, result: {} }), undefined);
    assert.deepEqual(client.texts, []);
  });
});

describe("a modern client before a modern remote", () => {
  type Requests = ModernRemote["request"];
  const modern = (answersTo: Requests) => {
    const client = heardClient();
    const notified: string[] = [];
    const remote: ModernRemote = {
      era: "modern",
      discovered: "{}",
      request: answersTo,
      notify: async ({ text }: Message<NotificationValue>) => void notified.push(text),
      close: async () => undefined,
    };
    return { relay: createModernBeforeModern({ remote, client, logger: silentLogger }), client, notified };
  };
  const result = (id: unknown): Message => message({ jsonrpc: "2.0", id, result: {} });

  test("hears what comes for each request as it is, and no request holds up another", async () => {
    const held = deferred();
    const { relay, client } = modern(async function* ({ value }) {
      yield message(notification("notifications/message", { about: value.id }));
      if (value.id === 1) await held.promise;
      yield result(value.id);
    });
    await relay.receive(message(request("a", {}, 1)));
    await relay.receive(message(request("b", {}, 2)));
    await client.answer(2);
    held.resolve();
    await client.answer(1);
    assert.equal(client.texts.length, 4);
  });

  test("is given no answer to what it cancels, and may use the id again", async () => {
    const signals: AbortSignal[] = [];
    const { relay, client } = modern(async function* ({ value }, signal) {
      signals.push(signal);
      if (signals.length === 1)
        await new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        });
      yield result(value.id);
    });
    await relay.receive(message(request("slow", {}, 1)));
    await until(() => signals.length === 1, { withinMs: 1000, label: "the request" });
    await relay.receive(message(notification("notifications/cancelled", { requestId: 1 })));
    assert.equal(signals[0]?.aborted, true);
    await relay.receive(message(request("fast", {}, 1)));
    await client.answer(1);
    assert.equal(client.texts.length, 1);
  });

  test("cancels the request that it names, and none whose id is the same but for a number's last digits", async () => {
    const { relay, client } = modern(async function* (asked, signal) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      yield asked;
    });
    const [one, other] = ["9007199254740992", "9007199254740993"];
    const asking = (id: string) => `{"jsonrpc":"2.0","id":${id},"method":"slow"}`;
    await relay.receive(message(asking(one ?? "")));
    await relay.receive(message(asking(other ?? "")));
    assert.deepEqual(client.texts, []);
    const params = `{"requestId":${other}}`;
    await relay.receive(message(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`));
    await relay.receive(message(asking(one ?? "")));
    assert.equal(client.texts.length, 1);
    assert.match(client.texts[0] ?? "", /"id":9007199254740992,.*id has no answer yet/);
    await within(relay.close(), 1000, "the relay closes");
  });

  test("is told that an id is in use", async () => {
    const { relay, client } = modern(async function* (_request, signal) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      yield* [];
    });
    await relay.receive(message(request("slow", {}, 1)));
    await relay.receive(message(request("slow", {}, 1)));
    assert.match((await client.answer(1)).error?.message ?? "", /id has no answer yet/);
    await within(relay.close(), 1000, "the relay closes");
    assert.equal(client.texts.length, 1);
  });

  test("may have a thousand requests in flight, and is told so of one more", async () => {
    const { relay, client } = modern(async function* (_request, signal) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      yield* [];
    });
    for (let id = 0; id <= 1000; id += 1) await relay.receive(message(request("slow", {}, id)));
    assert.match((await client.answer(1000)).error?.message ?? "", /slow/);
    assert.equal(client.texts.length, 1);
    await within(relay.close(), 1000, "the relay closes");
  });

  const endings: readonly (readonly [what: string, answersTo: Requests, expected: RegExp])[] = [
    [
      "an error in place of an answer",
      // eslint-disable-next-line require-yield
      async function* () {
        throw new MayflyError("REMOTE_UNREACHABLE", { values: { detail: "connection refused" } });
      },
      /cannot be reached \(connection refused\)/,
    ],
    ["no answer at all", async function* () {}, /broke .* before it answered slow/],
    [
      "a bug of ours",
      // eslint-disable-next-line require-yield
      async function* () {
        throw new TypeError("secret");
      },
      /^An error inside Mayfly: see its log$/,
    ],
  ];
  for (const [what, answersTo, expected] of endings) {
    test(`hears of ${what} under its own id, and the relay goes on`, async () => {
      const { relay, client } = modern(answersTo);
      await relay.receive(message('{"jsonrpc":"2.0","id":12345678901234567890,"method":"slow"}'));
      await until(() => client.texts.length === 1, { withinMs: 1000, label: "an answer" });
      const [text = ""] = client.texts;
      assert.match(text, /"id":12345678901234567890/);
      assert.match((JSON.parse(text) as { error: { message: string } }).error.message, expected);
      await relay.receive(message(request("slow", {}, 2)));
      await client.answer(2);
    });
  }

  test("has its own notifications sent, and its answers to nothing dropped", async () => {
    const { relay, client, notified } = modern(async function* () {});
    await relay.receive(message(notification("notifications/odd")));
    await relay.receive(message({ jsonrpc: "2.0", id: 1, result: {} }));
    assert.equal(notified.length, 1);
    assert.deepEqual(client.texts, []);
  });

  test("leaves nothing behind of ten thousand requests", async () => {
    const open = new Set<AbortSignal>();
    const { relay, client } = modern(async function* ({ value }: Message<RequestValue>, signal) {
      open.add(signal);
      yield result(value.id);
      open.delete(signal);
    });
    for (let id = 0; id < 10_000; id += 1) await relay.receive(message(request("x", {}, id)));
    await client.answer(9999);
    await within(relay.close(), 1000, "the relay closes");
    assert.equal(client.texts.length, 10_000);
  });
});
