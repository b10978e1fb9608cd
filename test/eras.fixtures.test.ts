import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { temporaryFolder } from "./support/files.ts";
import { startPeer } from "./support/peer.ts";
import type { Answer, Peer } from "./support/peer.ts";
import { call, initialize, notification, request } from "./support/rpc.ts";
import type { Id, Params, RequestBody } from "./support/rpc.ts";

const REVISION = "2026-07-28";
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": REVISION,
  "io.modelcontextprotocol/clientCapabilities": {},
};
const EVERYTHING = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

interface Message {
  readonly id: Id;
  readonly method: string;
  readonly params: Params;
}

describe("a server of 2026-07-28 only", () => {
  test("tells of itself without a handshake", async (t) => {
    const { result } = await startPeer(t, "modern-only").answer(modern("server/discover"));
    assert.deepEqual(result, {
      supportedVersions: [REVISION],
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: {},
        logging: {},
      },
      ttlMs: 0,
      cacheScope: "private",
      resultType: "complete",
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "modern-only", version: "1.0.0" } },
    });
  });

  test("wants the envelope in every request, and its own revision in it", async (t) => {
    const peer = startPeer(t, "modern-only");
    const [version, capabilities] = Object.keys(ENVELOPE) as [string, string];
    const metas = [{}, { [version]: REVISION }, { [capabilities]: {} }, { ...ENVELOPE, [capabilities]: 1 }];
    for (const meta of metas) {
      assert.equal((await peer.answer(call("echo", {}, { meta }))).error?.code, -32602);
    }
    assert.equal((await peer.answer(request("server/discover"))).error?.code, -32602);
    const other = call("echo", {}, { meta: { ...ENVELOPE, [version]: "2027-01-01" } });
    assert.deepEqual(refusal(await peer.answer(other)), [-32022, [REVISION], "2027-01-01"]);
    assert.deepEqual(refusal(await peer.answer(initialize())), [-32022, [REVISION], "2025-11-25"]);
    assert.equal((await peer.answer(modern("ping"))).error?.code, -32601);
  });

  test("echoes what it received, and answers an array that its schema describes", async (t) => {
    const peer = startPeer(t, "modern-only");
    const echo = call("echo", { a: 1 }, { meta: { ...ENVELOPE, b: 2 } });
    const echoed = await peer.answer(echo);
    assert.deepEqual(JSON.parse(textOf(echoed)), echo.params);
    assert.equal(echoed.result?.["resultType"], "complete");
    const structured = await peer.answer(modernCall("structured"));
    assert.deepEqual(structured.result?.["structuredContent"], [1, 2, 3]);
    const { tools } = (await peer.answer(modern("tools/list"))).result as { tools: Params[] };
    const outputSchema = { type: "array", items: { type: "number" } };
    assert.deepEqual(tools[1], { name: "structured", inputSchema: { type: "object" }, outputSchema });
    assert.equal((await peer.answer(modernCall("unknown"))).error?.code, -32602);
  });

  test("counts every message that its process received", async (t) => {
    const peer = startPeer(t, "modern-only");
    peer.send(notification("notifications/cancelled", { requestId: "none" }));
    assert.equal(textOf(await peer.answer(modernCall("count"))), "2");
    assert.equal(textOf(await peer.answer(modernCall("count"))), "3");
  });
});

describe("a server of both eras", () => {
  test("dual answers each request in the era that it is of", async (t) => {
    const peer = startPeer(t, "dual");
    const discovered = (await peer.answer(modern("server/discover"))).result;
    assert.deepEqual(discovered?.["supportedVersions"], [REVISION]);
    const { result } = await peer.handshake();
    assert.equal(result?.["protocolVersion"], "2025-11-25");
    assert.equal(textOf(await peer.answer(modernCall("era"))), "modern");
    assert.deepEqual((await peer.answer(call("era"))).result, {
      content: [{ type: "text", text: "legacy" }],
    });
  });

  test("locks-era stays modern when its first message was", async (t) => {
    const peer = startPeer(t, "locks-era");
    assert.equal(textOf(await peer.answer(modernCall("era"))), "modern");
    assert.equal((await peer.answer(initialize())).error?.code, -32600);
    assert.equal((await peer.answer(call("era"))).error?.code, -32600);
    assert.ok((await peer.answer(modern("server/discover"))).result);
  });

  test("locks-era stays legacy when its first message was initialize", async (t) => {
    const peer = startPeer(t, "locks-era");
    await peer.handshake();
    assert.equal((await peer.answer(modern("server/discover"))).error?.code, -32600);
    assert.equal((await peer.answer(modernCall("era"))).error?.code, -32600);
    assert.equal(textOf(await peer.answer(call("era"))), "legacy");
  });
});

describe("a legacy server that is asked what it does not know", () => {
  test("exits, with a stack trace", async (t) => {
    const peer = startPeer(t, "legacy-exits-on-discover");
    peer.send(modern("server/discover"));
    assert.equal(await peer.line(), undefined);
    assert.deepEqual(await peer.exited(), [1, null]);
    assert.match(peer.stderr(), /expected initialize, not server\/discover\n\s+at /);
    await worksAfterHandshake(startPeer(t, "legacy-exits-on-discover"));
  });

  test("says nothing until it is initialized", async (t) => {
    const peer = startPeer(t, "legacy-silent-on-discover");
    peer.send(modern("server/discover", {}, "never-answered"));
    const lines = await peer.exchange(initialize());
    assert.equal(lines.length, 1);
    assert.equal((await peer.answer(modern("server/discover"))).error?.code, -32601);
  });

  test("refuses amid lines that are not JSON", async (t) => {
    const peer = startPeer(t, "legacy-noisy-on-discover");
    const lines = await peer.exchange(modern("server/discover"));
    assert.equal((JSON.parse(lines.at(-1) ?? "") as Answer).error?.code, -32601);
    const noise = lines.slice(0, -1);
    assert.ok(noise.length >= 6 && noise.every((line) => !line.startsWith('{"jsonrpc"')), noise.join("\n"));
    await worksAfterHandshake(peer);
  });

  test("answers an empty result, or what it was told to", async (t) => {
    const peer = startPeer(t, "legacy-nonsense-on-discover");
    assert.deepEqual((await peer.answer(modern("server/discover"))).result, {});
    await worksAfterHandshake(peer);
    const error = { code: -32022, message: "no", data: { supported: ["1999-01-01"] } };
    const args = [`--reply=${JSON.stringify({ error })}`];
    const told = startPeer(t, "legacy-nonsense-on-discover", { args });
    assert.deepEqual(await told.answer(modern("server/discover", {}, 7)), { jsonrpc: "2.0", id: 7, error });
  });

  test("executes a call that comes before any handshake", async (t) => {
    const log = join(await temporaryFolder(t), "log");
    const peer = startPeer(t, "legacy-executes-anything", { args: [`--log=${log}`] });
    assert.equal((await peer.answer(modern("server/discover"))).error?.code, -32601);
    assert.equal(textOf(await peer.answer(modernCall("one"))), "executed");
    assert.equal(textOf(await peer.answer(call("two"))), "executed");
    assert.equal(await readFile(log, "utf8"), "executed one\nexecuted two\n");
  });
});

describe("a legacy server that asks its client", () => {
  test("asks one question, and tells the answer and its process", async (t) => {
    const peer = await asker(t);
    peer.send(call("ask-one"));
    const question = await message(peer);
    assert.deepEqual([question.id, question.method], [1, "elicitation/create"]);
    assert.equal(question.params["message"], "What is your name?");
    respond(peer, question, { result: { action: "accept", content: { name: "Ada" } } });
    const answers = [{ action: "accept", content: { name: "Ada" } }];
    assert.deepEqual(await toldBy(peer), { answers, pid: peer.pid });
  });

  test("asks the second question after the first answer", async (t) => {
    const peer = await asker(t);
    peer.send(call("ask-two"));
    const first = await message(peer);
    // What it answers now, it answers with no second question before.
    assert.equal(textOf(await peer.answer(call("pids", {}, { id: 2 }))), String(peer.pid));
    respond(peer, first, { result: { action: "decline" } });
    const second = await message(peer);
    assert.deepEqual([second.params["mode"], second.params["message"]], ["form", "How old are you?"]);
    respond(peer, second, { error: { code: -1, message: "no" } });
    const answers = [{ action: "decline" }, { error: { code: -1, message: "no" } }];
    assert.deepEqual(await toldBy(peer), { answers, pid: peer.pid });
  });

  test("asks two questions at once, and takes the answers in any order", async (t) => {
    const peer = await asker(t);
    peer.send(call("ask-parallel"));
    const [name, age] = [await message(peer), await message(peer)];
    respond(peer, age, { result: { action: "cancel" } });
    respond(peer, name, { result: { action: "decline" } });
    const answers = [{ action: "decline" }, { action: "cancel" }];
    assert.deepEqual(await toldBy(peer), { answers, pid: peer.pid });
  });

  const others = [
    ["ask-unsafe", "elicitation/create"],
    ["ask-url", "elicitation/create"],
    ["sample", "sampling/createMessage"],
    ["roots", "roots/list"],
  ] as const;
  for (const [tool, method] of others) {
    test(`asks ${method} in ${tool}`, async (t) => {
      const peer = await asker(t);
      peer.send(call(tool));
      const question = await message(peer);
      assert.equal(question.method, method);
      respond(peer, question, { result: { heard: true } });
      assert.deepEqual(await toldBy(peer), { answers: [{ heard: true }], pid: peer.pid });
    });
  }

  test("asks nothing that its client did not declare", async (t) => {
    const peer = await asker(t, {});
    for (const tool of ["ask-one", "ask-two", "ask-parallel", "ask-unsafe", "ask-url"]) {
      assert.equal(textOf(await peer.answer(call(tool))), "no elicitation");
    }
    assert.equal(textOf(await peer.answer(call("sample"))), "no sampling");
    assert.equal(textOf(await peer.answer(call("roots"))), "no roots");
    const forms = await asker(t, { elicitation: {} });
    assert.equal(textOf(await forms.answer(call("ask-url"))), "no elicitation");
  });

  test("marks what may run again, and requires a visit by an error", async (t) => {
    const peer = await asker(t);
    const { tools } = (await peer.answer(request("tools/list"))).result as { tools: Params[] };
    const unmarked = tools.filter(({ annotations }) => annotations === undefined).map(({ name }) => name);
    assert.deepEqual(unmarked, ["ask-unsafe", "url-required", "pids"]);
    const required = await peer.answer(call("url-required"));
    assert.equal(required.error?.code, -32042);
    const { elicitations } = dataOf(required) as { elicitations: Params[] };
    assert.deepEqual(
      elicitations.map(({ mode, elicitationId }) => [mode, elicitationId]),
      [["url", "elicitation-1"]],
    );
  });
});

test("a legacy server that is watched tells of changes, again and again", async (t) => {
  const peer = startPeer(t, "legacy-watches");
  const { capabilities } = (await peer.handshake()).result as { capabilities: Params };
  const resources = { subscribe: true, listChanged: true };
  assert.deepEqual(capabilities, { tools: { listChanged: true }, resources });
  const list = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
  assert.deepEqual([await message(peer), await message(peer)], [list, list]);
  const refused = await peer.answer(request("resources/subscribe", { uri: "bad://x" }));
  assert.equal(refused.error?.code, -32602);
  assert.deepEqual((await peer.answer(request("resources/subscribe", { uri: "good://x" }))).result, {});
  const updated = { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "good://x" } };
  const told = [await message(peer), await message(peer), await message(peer), await message(peer)];
  assert.deepEqual(told, [list, updated, list, updated]);
  peer.process.stdin.end();
  assert.deepEqual(await peer.exited(), [0, null]);
});

function modern(method: string, params: Params = {}, id: Id = 1): RequestBody {
  return request(method, { ...params, _meta: ENVELOPE }, id);
}

function modernCall(name: string): RequestBody {
  return call(name, {}, { meta: ENVELOPE });
}

async function worksAfterHandshake(peer: Peer): Promise<void> {
  const { result } = await peer.handshake();
  assert.equal(result?.["protocolVersion"], "2025-11-25");
  assert.equal(textOf(await peer.answer(call("echo", { a: 1 }))), '{"a":1}');
}

/** The server that asks, with a client that declared these capabilities. */
async function asker(t: TestContext, capabilities: Params = EVERYTHING): Promise<Peer> {
  const peer = startPeer(t, "legacy-asks");
  await peer.answer(initialize({ capabilities }));
  peer.send(notification("notifications/initialized"));
  return peer;
}

async function message(peer: Peer): Promise<Message> {
  return JSON.parse((await peer.line()) ?? "") as Message;
}

function respond(peer: Peer, { id }: Message, members: Params): void {
  peer.send({ jsonrpc: "2.0", id, ...members });
}

/** What the answer to the call, which comes next, says. */
async function toldBy(peer: Peer): Promise<unknown> {
  return JSON.parse(textOf(JSON.parse((await peer.line()) ?? "") as Answer));
}

function textOf({ result }: Answer): string {
  const content = result?.["content"] as { text: string }[] | undefined;
  return content?.[0]?.text ?? "";
}

function refusal(answer: Answer): unknown[] {
  const { supported, requested } = dataOf(answer) as { supported?: unknown; requested?: unknown };
  return [answer.error?.code, supported, requested];
}

function dataOf({ error }: Answer): unknown {
  return (error as { data?: unknown } | undefined)?.data;
}
