import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until, within } from "./support/deadline.ts";
import { temporaryFolder, waitForLine } from "./support/files.ts";
import { bigText } from "./support/fixture.ts";
import { startPeer } from "./support/peer.ts";
import type { Answer, Peer } from "./support/peer.ts";
import { isAlive, processesWith, waitUntilGone, zombiesOf } from "./support/processes.ts";
import { call, initialize, notification, request } from "./support/rpc.ts";

const EXIT_AT_EOF = [
  "asks-client",
  "asks-on-demand",
  "big",
  "chatty-at-start",
  "counter",
  "crashes-in-call",
  "declares-everything",
  "dumps-environment",
  "echo",
  "environment",
  "exits-leaving-grandchild",
  "flood",
  "floods-stderr",
  "killed-in-call",
  "many-values",
  "noisy",
  "oversized",
  "progress",
  "reaches-out",
  "refuses-by-name",
  "refuses-initialize",
  "remembers",
  "scrambles",
  "sends-to-page",
  "silent-in-call",
  "slow",
  "split-utf8",
  "talks-on-demand",
  "uses-up",
  "verbatim",
];

describe("every ordinary fixture exits when its stdin ends", () => {
  for (const name of EXIT_AT_EOF) {
    test(name, async (t) => {
      const peer = startPeer(t, name);
      await peer.handshake();
      peer.process.stdin.end();
      assert.deepEqual(await peer.exited(), [0, null]);
    });
  }

  test("silent", async (t) => {
    const peer = startPeer(t, "silent");
    peer.send(initialize());
    peer.process.stdin.end();
    assert.deepEqual(await peer.exited(), [0, null]);
    assert.equal(await peer.line(), undefined);
  });
});

describe("fixtures that answer", () => {
  test("counter counts in its memory", async (t) => {
    const peer = await ready(t, "counter");
    assert.equal(textOf(await peer.answer(call("count"))), "1");
    assert.equal(textOf(await peer.answer(call("count"))), "2");
  });

  test("a fixture answers initialize, ping and tools/list, and refuses what it does not know", async (t) => {
    const peer = startPeer(t, "counter");
    const { result } = await peer.answer(initialize({ protocolVersion: "2024-11-05" }));
    const serverInfo = { name: "counter", version: "1.0.0" };
    assert.deepEqual(result, { protocolVersion: "2024-11-05", capabilities: { tools: {} }, serverInfo });
    assert.deepEqual((await peer.answer(request("ping"))).result, {});
    const tools = [{ name: "count", inputSchema: { type: "object" } }];
    assert.deepEqual((await peer.answer(request("tools/list"))).result, { tools });
    assert.equal((await peer.answer(call("unknown"))).error?.code, -32602);
    assert.equal((await peer.answer(request("unknown"))).error?.code, -32601);
  });

  test("an id comes back as it was written", async (t) => {
    const peer = startPeer(t, "counter");
    for (const id of ["9007199254740993", '"a\\u0062\\"c"', "-1"]) {
      peer.send(`{"params":{"id":"other"},"method":"ping","id": ${id} ,"jsonrpc":"2.0"}`);
      assert.equal(await peer.line(), `{"jsonrpc":"2.0","id":${id},"result":{}}`);
    }
  });

  test("echo shows params, handshake, the lines it received, and unknown methods", async (t) => {
    const peer = await ready(t, "echo");
    const { params } = call("echo", { a: 1 }, { meta: { b: 2 } });
    assert.deepEqual(JSON.parse(textOf(await peer.answer(request("tools/call", params)))), params);
    assert.deepEqual(JSON.parse(textOf(await peer.answer(call("handshake")))), initialize().params);
    const unknown = { method: "unknown/method", params: { c: 3 } };
    assert.deepEqual((await peer.answer(request(unknown.method, unknown.params))).result, unknown);
    const lines = JSON.parse(textOf(await peer.answer(call("received")))) as string[];
    assert.deepEqual([lines.length, lines[0]], [6, JSON.stringify(initialize())]);
  });

  test("environment shows what it was started with", async (t) => {
    const peer = await ready(t, "environment");
    const shown = JSON.parse(textOf(await peer.answer(call("environment"))));
    assert.deepEqual(shown.env, { ...process.env });
    assert.deepEqual([shown.pid, shown.cwd, shown.execPath], [peer.pid, process.cwd(), process.execPath]);
    assert.ok(shown.argv.includes(`--token=${peer.token}`));
  });

  test("uses-up takes as much as it is told, and tells what refused it", async (t) => {
    const peer = await ready(t, "uses-up");
    assert.equal(textOf(await peer.answer(call("files", { count: 3 }))), "done 3");
    assert.equal(textOf(await peer.answer(call("address", { mib: 256 }))), "done 1");
    assert.equal(textOf(await peer.answer(call("file", { mib: 1, name: "no/folder/file" }))), "ENOENT");
  });

  test("reaches-out tells whether it got there", async (t) => {
    const peer = await ready(t, "reaches-out");
    assert.equal(textOf(await peer.answer(call("start"))), "done 1");
    assert.equal(textOf(await peer.answer(call("thread"))), "done ");
    assert.equal(textOf(await peer.answer(call("read", { path: "/no/file" }))), "ENOENT");
    assert.equal(textOf(await peer.answer(call("write", { path: "/no/file" }))), "ENOENT");
  });

  test("progress tells of every step, if there is a token to tell it by", async (t) => {
    const peer = await ready(t, "progress");
    const withToken = call("progress", { steps: 2, delayMs: 1 }, { meta: { progressToken: "p" } });
    assert.deepEqual(namesOf(await peer.exchange(withToken)), [
      "notifications/message",
      "notifications/progress",
      "notifications/progress",
      "answer",
    ]);
    const without = namesOf(await peer.exchange(call("progress", { delayMs: 1 })));
    assert.deepEqual(without, ["notifications/message", "answer"]);
  });

  test("big answers text whose every block carries its offset", async (t) => {
    const peer = await ready(t, "big");
    assert.equal(textOf(await peer.answer(call("big", { bytes: 100 }))), bigText(100));
    assert.ok(textOf(await peer.answer(call("big"))) === bigText(20 * 1024 * 1024));
  });

  test("verbatim answers the line of its arguments, with the id in place", async (t) => {
    const peer = await ready(t, "verbatim");
    const line = '{"jsonrpc":"2.0", "id":"@id","result":{"n":9007199254740993,"s":"\u2028 $& é"}}';
    peer.send(call("call", { line }, { id: "a" }));
    assert.equal(await peer.line(), line.replace("@id", "a"));
  });

  test("verbatim answers the bytes of its file", async (t) => {
    const file = join(await temporaryFolder(t), "answer.json");
    const bytes = Buffer.from('{"id":"@id","bad":"\xff\xfe","result":{}}\n', "latin1");
    await writeFile(file, bytes);
    const peer = startPeer(t, "verbatim", { args: [file] });
    const chunks: Buffer[] = [];
    peer.process.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    peer.send(call("call", {}, { id: 5 }));
    const expected = Buffer.from('{"id":5,"bad":"\xff\xfe","result":{}}\n', "latin1");
    const complete = (): boolean => Buffer.concat(chunks).equals(expected);
    await until(complete, { withinMs: 2000, label: () => String(Buffer.concat(chunks)) });
  });

  test("split-utf8 cuts its answer inside characters", async (t) => {
    const peer = startPeer(t, "split-utf8");
    const chunks: Buffer[] = [];
    peer.process.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    assert.equal(textOf(await peer.answer(call("call"))), "aé€😀z");
    assert.ok(chunks.some((chunk) => chunk.toString().includes("\ufffd")));
  });

  test("noisy answers amid what nobody asked for", async (t) => {
    const peer = await ready(t, "noisy");
    const lines = await peer.exchange(call("call"));
    assert.ok(lines.includes("[1,2]") && lines.includes("") && lines.includes("{ not json\r"));
    assert.match(lines.at(-1) ?? "", /"ok".*\r$/);
  });

  test("asks-client answers what the client answered", async (t) => {
    const peer = await ready(t, "asks-client");
    peer.send(call("call", {}, { id: 1 }));
    const asked = [await peer.line(), await peer.line()].map((line) => JSON.parse(line ?? ""));
    assert.deepEqual(
      asked.map(({ id, method }) => [id, method]),
      [
        [1, "ping"],
        [2, "elicitation/create"],
      ],
    );
    const answers = asked.map(({ id, method }) => ({ jsonrpc: "2.0", id, result: { method } }));
    for (const answer of answers.toReversed()) peer.send(answer);
    assert.deepEqual(JSON.parse(textOf(JSON.parse((await peer.line()) ?? ""))), answers);
  });

  test("refuses-initialize refuses", async (t) => {
    const { error } = await startPeer(t, "refuses-initialize").handshake();
    assert.deepEqual(error, { code: -32000, message: "no handshake today" });
  });

  test("refuses-by-name refuses the client that is called bad, and no other", async (t) => {
    const peer = startPeer(t, "refuses-by-name");
    const bad = initialize({ clientInfo: { name: "bad", version: "1.0.0" } });
    assert.deepEqual((await peer.answer(bad)).error, { code: -32602, message: "no such clients" });
    assert.ok((await peer.handshake()).result);
    assert.equal(textOf(await peer.answer(call("count"))), "1");
  });

  test("chatty-at-start speaks before, between and after", async (t) => {
    const peer = startPeer(t, "chatty-at-start");
    assert.deepEqual(namesOf(await peer.exchange(initialize())), ["notifications/message", "answer"]);
    const names = namesOf(await peer.exchange(call("call")));
    assert.deepEqual(
      [names.length, names.at(0), names.at(-2)],
      [9, "notifications/message", "notifications/message"],
    );
    assert.equal(namesOf([(await peer.line()) ?? ""])[0], "notifications/message");
  });

  test("flood sends as many notifications as it is asked for", async (t) => {
    const peer = await ready(t, "flood");
    const lines = await peer.exchange(call("call", { count: 5000 }));
    assert.equal(lines.length, 5001);
    assert.deepEqual([lines[0]?.length, lines.at(-2)?.length], [200, 203]);
  });

  test("declares-everything declares everything", async (t) => {
    const peer = startPeer(t, "declares-everything");
    const [line = ""] = await peer.exchange(initialize());
    assert.match(line, /"example.com\/serial":9007199254740993\}\}$/);
    const capabilities = Object.keys(JSON.parse(line).result.capabilities);
    for (const name of ["tasks", "extensions", "example.com/unknown"]) assert.ok(capabilities.includes(name));
  });
});

describe("fixtures for sessions", () => {
  test("remembers tells what it was told, counts, and dies", async (t) => {
    const peer = await ready(t, "remembers");
    assert.equal(textOf(await peer.answer(call("count"))), "1");
    assert.equal(textOf(await peer.answer(call("count"))), "2");
    const asked = [
      request("resources/subscribe", { uri: "test://one" }),
      request("resources/unsubscribe", { uri: "test://one" }),
      request("logging/setLevel", { level: "error" }),
    ];
    for (const one of asked) assert.deepEqual((await peer.answer(one)).result, {});
    peer.send(notification("notifications/cancelled", { requestId: "gone" }));
    const { handshakes, ...memory } = JSON.parse(textOf(await peer.answer(call("memory"))));
    assert.deepEqual(memory, {
      pid: peer.pid,
      initialized: 1,
      calls: ["count", "count", "memory"].map((name) => ({ id: 1, name })),
      cancelled: ["gone"],
      subscribed: ["test://one"],
      unsubscribed: ["test://one"],
      levels: ["error"],
    });
    assert.deepEqual(handshakes, [initialize().params]);
    peer.send(call("die"));
    assert.deepEqual(await peer.exited(), [7, null]);
  });

  test("remembers holds a call until it is released, and speaks the revision that it is given", async (t) => {
    const peer = startPeer(t, "remembers", { args: ["--revision=2025-03-26"] });
    assert.equal((await peer.handshake()).result?.["protocolVersion"], "2025-03-26");
    peer.send(call("hold", { key: "k" }, { id: "h" }));
    const released = textOf(await peer.answer(call("release", { key: "k" })));
    assert.equal(released, "released k");
    assert.equal(textOf(JSON.parse((await peer.line()) ?? "")), "held k");
  });

  test("talks-on-demand talks during a call and after it", async (t) => {
    const peer = await ready(t, "talks-on-demand");
    const notifications = [{ method: "one" }, { method: "two", params: { x: 1 } }];
    assert.deepEqual(namesOf(await peer.exchange(call("tell", { notifications }))), ["one", "two", "answer"]);
    assert.deepEqual(namesOf(await peer.exchange(call("tellLater", { notifications }))), ["answer"]);
    assert.deepEqual(namesOf([(await peer.line()) ?? "", (await peer.line()) ?? ""]), ["one", "two"]);
    const lines = await peer.exchange(call("progress", { steps: 2 }, { meta: { progressToken: "t" } }));
    assert.deepEqual(JSON.parse(lines[1] ?? "").params, { progressToken: "t", progress: 2, total: 2 });
  });

  test("asks-on-demand asks during a call and after it", async (t) => {
    const peer = await ready(t, "asks-on-demand");
    peer.send(call("ask", { method: "roots/list" }, { id: "a" }));
    const { id, method } = JSON.parse((await peer.line()) ?? "");
    assert.deepEqual([id, method], [1, "roots/list"]);
    peer.send({ jsonrpc: "2.0", id, result: { roots: [] } });
    assert.deepEqual(JSON.parse(textOf(JSON.parse((await peer.line()) ?? ""))).result, { roots: [] });
    assert.equal(textOf(await peer.answer(call("askLater", { method: "ping" }))), "later");
    const later = JSON.parse((await peer.line()) ?? "");
    peer.send({ jsonrpc: "2.0", id: later.id, result: {} });
    const answers = async () => JSON.parse(textOf(await peer.answer(call("answers"))));
    await until(async () => (await answers()).length > 0, { withinMs: 2000, label: "it knows the answer" });
    assert.deepEqual(await answers(), [{ jsonrpc: "2.0", id: 2, result: {} }]);
  });

  test("scrambles answers every call once, in no order, each after its progress", async (t) => {
    const peer = await ready(t, "scrambles");
    const values = Array.from({ length: 100 }, (_, index) => String(index));
    // In one write: it answers what it has read at once.
    const calls = values.map((value) =>
      call("echo", { value }, { id: value, meta: { progressToken: value } }),
    );
    peer.send(calls.map((one) => JSON.stringify(one)).join("\n"));
    const [answered, progressed]: [string[], string[]] = [[], []];
    while (answered.length < values.length) {
      const { id, params } = JSON.parse((await peer.line()) ?? "");
      if (params) progressed.push(params.progressToken);
      else answered.push(id);
      assert.equal(
        answered.every((one) => progressed.includes(one)),
        true,
        "an answer came before its progress",
      );
    }
    assert.notDeepEqual(answered, values);
    assert.deepEqual(answered.toSorted(), values.toSorted());
    assert.deepEqual(progressed, answered);
  });

  test("dies-after-handshake exits with 7 when the handshake is over", async (t) => {
    const peer = startPeer(t, "dies-after-handshake");
    await peer.handshake();
    assert.deepEqual(await peer.exited(), [7, null]);
  });
});

describe("fixtures that do not answer", () => {
  test("slow writes down what happens to its call", async (t) => {
    const file = join(await temporaryFolder(t), "log");
    const peer = await ready(t, "slow");
    peer.send(call("wait", { file }, { id: "w" }));
    assert.equal(await waitForLine(file, /^called/), `called ${peer.pid}`);
    peer.send(notification("notifications/cancelled", { requestId: "w" }));
    await waitForLine(file, /^cancelled w$/);
    peer.process.stdin.end();
    await waitForLine(file, /^eof$/);
    assert.deepEqual(await peer.exited(), [0, null]);
  });

  test("silent-in-call answers everything but the call", async (t) => {
    const peer = await ready(t, "silent-in-call");
    assert.deepEqual(namesOf(await calledThenPinged(peer)), ["answer"]);
  });

  test("crashes-at-start says why, with its secret", async (t) => {
    const peer = startPeer(t, "crashes-at-start", { env: { SECRET_TOKEN: "s3cret" } });
    assert.deepEqual(await peer.exited(), [3, null]);
    await until(() => peer.stderr().split("\n").length > 3, { withinMs: 2000, label: () => peer.stderr() });
    assert.match(peer.stderr(), /s3cret/);
    assert.equal(await peer.line(), undefined);
  });

  test("crashes-in-call exits with 7 and says so", async (t) => {
    const peer = await ready(t, "crashes-in-call");
    peer.send(call("call"));
    assert.deepEqual(await peer.exited(), [7, null]);
    assert.equal(await peer.line(), undefined);
    assert.equal(peer.stderr(), "the call was too much\n");
  });

  test("killed-in-call is killed", async (t) => {
    const peer = await ready(t, "killed-in-call");
    peer.send(call("call"));
    assert.deepEqual(await peer.exited(), [null, "SIGKILL"]);
  });

  test("closes-stdout lives on", async (t) => {
    const peer = await ready(t, "closes-stdout");
    peer.send(call("call"));
    assert.equal(await peer.line(), undefined);
    assert.ok(isAlive(peer.pid));
    peer.process.stdin.end();
    peer.process.kill("SIGTERM");
    assert.deepEqual(await peer.exited(), [null, "SIGTERM"]);
  });

  test("oversized writes no line feed, and waits for its reader", async (t) => {
    const peer = await ready(t, "oversized");
    peer.send(call("call"));
    let bytes = 0;
    for await (const chunk of peer.process.stdout.iterator({ destroyOnReturn: false })) {
      assert.ok(!(chunk as Buffer).includes("\n"));
      bytes += (chunk as Buffer).length;
      if (bytes > 8 * 1024 * 1024) break;
    }
    // With nobody reading, it still notices the end of its stdin.
    peer.process.stdin.end();
    assert.deepEqual(await peer.exited(), [0, null]);
  });

  test("ignores-stdin fills the pipe", async (t) => {
    const peer = startPeer(t, "ignores-stdin");
    await peer.handshake();
    const line = JSON.stringify(request("ping", { filling: "x".repeat(4 * 1024 * 1024) }));
    assert.equal(peer.process.stdin.write(`${line}\n`), false);
    await assert.rejects(within(drained(peer), 200, "stdin drains"), /stdin drains/);
    assert.ok(isAlive(peer.pid));
  });
});

describe("fixtures that are hard to end", () => {
  test("ignores-sigterm survives SIGTERM, SIGINT and the end of stdin", async (t) => {
    const peer = await ready(t, "ignores-sigterm");
    assert.equal(textOf(await peer.answer(call("call"))), "ok");
    assert.deepEqual(namesOf(await calledThenPinged(peer, { hang: true })), ["answer"]);
    peer.process.kill("SIGTERM");
    peer.process.kill("SIGINT");
    assert.deepEqual((await peer.answer(request("ping"))).result, {});
    await outlivesEof(peer);
  });

  test("spawns-grandchild starts a process in its group that survives SIGTERM", async (t) => {
    const peer = await ready(t, "spawns-grandchild");
    const grandchild = Number(textOf(await peer.answer(call("call"))));
    assert.deepEqual(pidsOf(peer.token), [peer.pid, grandchild].toSorted(ascending));
    process.kill(-peer.pid, "SIGTERM");
    assert.deepEqual((await peer.answer(request("ping"))).result, {});
    assert.ok(isAlive(grandchild));
    await outlivesEof(peer);
  });

  test("exits-leaving-grandchild leaves one that holds stdout", async (t) => {
    const peer = await ready(t, "exits-leaving-grandchild");
    peer.send(call("call"));
    assert.deepEqual(await peer.exited(), [0, null]);
    const end = peer.line();
    const [orphan = 0, ...others] = pidsOf(peer.token);
    assert.deepEqual([isAlive(orphan), others], [true, []]);
    assert.equal(peer.process.stdout.readableEnded, false);
    process.kill(-peer.pid, "SIGKILL");
    assert.equal(await end, undefined);
    await waitUntilGone(peer.token);
    // One that is just ending has no arguments any more, and is not gone yet.
    await until(() => !isAlive(orphan), { withinMs: 2000, label: "the orphan is gone" });
    assert.deepEqual(zombiesOf(process.pid), []);
  });
});

async function ready(t: TestContext, name: string): Promise<Peer> {
  const peer = startPeer(t, name);
  await peer.handshake();
  return peer;
}

/** The lines up to the answer to a ping, which the server can only read after the call. */
async function calledThenPinged(peer: Peer, args = {}): Promise<string[]> {
  peer.send(call("call", args, { id: "never-answered" }));
  return peer.exchange(request("ping", undefined, "ping"));
}

/** Nothing tells that nothing happens: an ordinary server exits well within this time. */
async function outlivesEof(peer: Peer): Promise<void> {
  peer.process.stdin.end();
  await assert.rejects(within(peer.exited(), 100, "still alive"), /still alive/);
  assert.ok(isAlive(peer.pid));
}

async function drained(peer: Peer): Promise<void> {
  await new Promise((resolve) => peer.process.stdin.once("drain", resolve));
}

function textOf({ result }: Answer): string {
  const content = result?.["content"] as { text: string }[] | undefined;
  return content?.[0]?.text ?? "";
}

/** The methods of notifications, and `answer` for what answers. */
function namesOf(lines: readonly string[]): string[] {
  return lines.map((line) => (JSON.parse(line) as { method?: string }).method ?? "answer");
}

function pidsOf(token: string): number[] {
  return processesWith(token)
    .map(({ pid }) => pid)
    .toSorted(ascending);
}

function ascending(a: number, b: number): number {
  return a - b;
}
