import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { temporaryFolder } from "../support/files.ts";
import { methodsOf, modern, modernCall, observe, textOf } from "../support/modern.ts";
import type { ObservedOptions } from "../support/modern.ts";
import { call, initialize, post, request } from "../support/rpc.ts";
import type { Params } from "../support/rpc.ts";

const HANDSHAKE = ["initialize", "notifications/initialized"];
const CALL = "tools/call";
const DISCOVER = "server/discover";

/** A server that answers `server/discover` in a way of its own, and what it gets at the first call and later. */
interface Discoverer {
  readonly name: string;
  readonly options?: ObservedOptions;
  readonly first: readonly string[];
  readonly later: readonly string[];
  /** Processes that the first call takes. */
  readonly started: number;
}

const LATER = [...HANDSHAKE, CALL];

const DISCOVERERS: readonly Discoverer[] = [
  { name: "echo", first: [DISCOVER, ...LATER], later: LATER, started: 1 },
  { name: "legacy-noisy-on-discover", first: [DISCOVER, ...LATER], later: LATER, started: 1 },
  { name: "legacy-nonsense-on-discover", first: [DISCOVER, ...LATER], later: LATER, started: 1 },
  {
    name: "legacy-silent-on-discover",
    // Its silence is believed if it starts in less than that, also on a busy machine.
    options: { probeTimeoutMs: 2000 },
    first: [DISCOVER, ...LATER],
    later: LATER,
    started: 2,
  },
  { name: "modern-only", first: [DISCOVER, CALL], later: [CALL], started: 1 },
  { name: "dual", first: [DISCOVER, CALL], later: [CALL], started: 1 },
  { name: "locks-era", first: [DISCOVER, CALL], later: [CALL], started: 1 },
];

describe("a modern client is served by a server that is", () => {
  for (const { name, options, first, later, started } of DISCOVERERS) {
    test(`${name}, which is asked for its era once`, async (t) => {
      const server = observe(t, name, options);
      const answer = await server.ask(modernCall(toolOf(name)));
      assert.equal(answer.status, 200, JSON.stringify(answer));
      assert.equal(answer.result?.["resultType"], "complete");
      assert.deepEqual([methodsOf(server.received()), server.started()], [first, started]);
      assert.equal((await server.ask(modernCall(toolOf(name)))).result?.["resultType"], "complete");
      assert.deepEqual([methodsOf(server.received()), server.started()], [later, 1]);
    });
  }

  for (const reply of [
    { result: { supportedVersions: ["2025-11-25"] } },
    { result: { supportedVersions: "2026-07-28" } },
    { result: null },
    { error: { code: -32600, message: "Initialize first" } },
    { error: { code: -32022, message: "Unsupported", data: { supported: ["2025-11-25"] } } },
    { error: { code: -32000, message: "Server not initialized" } },
  ]) {
    test(`legacy although it answers the probe with ${JSON.stringify(reply)}`, async (t) => {
      const args = [`--reply=${JSON.stringify(reply)}`];
      const server = observe(t, "legacy-nonsense-on-discover", { args });
      assert.equal((await server.ask(modernCall("echo"))).result?.["resultType"], "complete");
      assert.deepEqual(methodsOf(server.received()), [DISCOVER, ...LATER]);
    });
  }
});

function toolOf(name: string): string {
  return name === "locks-era" || name === "dual" ? "era" : "echo";
}

test("the real request is never the probe: a server that executes anything executes it once", async (t) => {
  const log = join(await temporaryFolder(t), "executed.log");
  const server = observe(t, "legacy-executes-anything", { args: [`--log=${log}`] });
  await server.ask(modernCall("pay"));
  assert.deepEqual(methodsOf(server.received()), [DISCOVER, ...LATER]);
  await server.ask(post(call("pay")));
  assert.deepEqual((await readFile(log, "utf8")).trim().split("\n"), ["executed pay", "executed pay"]);
});

test("a server that ends at the probe may have crashed: it is believed when it does so again", async (t) => {
  const server = observe(t, "legacy-exits-on-discover");
  for (const started of [2, 2, 1]) {
    assert.equal((await server.ask(modernCall("echo"))).result?.["resultType"], "complete");
    assert.equal(server.started(), started);
  }
});

test("what one client says of itself is no part of the probe", async (t) => {
  const server = observe(t, "counter");
  await server.ask(modern("tools/list", {}, { capabilities: { roots: {} } }));
  const [probe] = server.received();
  const params = probe?.["params"] as { readonly _meta: Params } | undefined;
  const said = params?._meta ?? {};
  assert.deepEqual(said["io.modelcontextprotocol/clientInfo"], { name: "mcp-mayfly", version: "0.1.0" });
  assert.deepEqual(said["io.modelcontextprotocol/clientCapabilities"], {});
});

test("a server that has been replaced is asked anew", async (t) => {
  const file = join(await temporaryFolder(t), "server.mjs");
  const fixtures = new URL("../fixtures/servers/", import.meta.url).href;
  const become = (name: string) => writeFile(file, `import "${fixtures}${name}.mjs";`);
  await become("modern-only");
  const server = observe(t, "counter", { config: { args: [file] } });
  assert.ok((await server.ask(modern("tools/list"))).result);
  assert.ok((await server.ask(post(request("tools/list")))).result);
  await become("refuses-without-handshake");
  assert.ok((await server.ask(modern("tools/list"))).error);
  assert.ok((await server.ask(modern("tools/list"))).result);
  await become("modern-only");
  assert.ok((await server.ask(modern("tools/list"))).error);
  assert.ok((await server.ask(modern("tools/list"))).result);
});

describe("a legacy client", () => {
  for (const name of ["echo", "dual", "locks-era", "legacy-exits-on-discover", "legacy-silent-on-discover"]) {
    test(`never makes us probe ${name}`, async (t) => {
      const server = observe(t, name);
      assert.ok((await server.ask(post(initialize()))).result);
      assert.ok((await server.ask(post(call(toolOf(name))))).result);
      assert.deepEqual(methodsOf(server.received()), ["initialize", ...LATER]);
      assert.equal(server.started(), 2);
    });
  }

  test("is served by a modern-only server, whose refusal says what it is", async (t) => {
    const server = observe(t, "modern-only");
    const first = await server.ask(post(call("count")));
    assert.deepEqual([first.status, first.id], [200, 1]);
    assert.deepEqual(methodsOf(server.received()), ["initialize", CALL]);
    assert.equal(textOf(await server.ask(post(call("count")))), "1");
    assert.deepEqual(methodsOf(server.received()), [CALL]);
  });

  test("initializes before a modern-only server, whose discovery is the answer", async (t) => {
    const server = observe(t, "modern-only");
    for (const methods of [["initialize", DISCOVER], [DISCOVER]]) {
      const { result, id } = await server.ask(post(initialize({ id: "i", protocolVersion: "2025-06-18" })));
      assert.deepEqual(
        [id, result],
        [
          "i",
          {
            capabilities: { tools: {}, resources: {}, prompts: {}, logging: {} },
            protocolVersion: "2025-06-18",
            serverInfo: { name: "modern-only", version: "1.0.0" },
          },
        ],
      );
      assert.deepEqual(methodsOf(server.received()), methods);
    }
  });

  test("whose own request is the handshake has the time for that", async (t) => {
    const server = observe(t, "silent", { startTimeoutMs: 500, requestTimeoutMs: 50 });
    const { error } = await server.ask(post(initialize()));
    assert.match(error?.message ?? "", /was not ready for initialize within 500 milliseconds/);
  });

  test("reads the words of a server that refuses to initialize, and is no modern one", async (t) => {
    const server = observe(t, "refuses-initialize");
    const { error } = await server.ask(post(initialize()));
    assert.ok(error);
    assert.deepEqual(methodsOf(server.received()), ["initialize", DISCOVER]);
    const called = await server.ask(post(call("any")));
    assert.match(called.error?.message ?? "", /refused to initialize/);
    assert.deepEqual(methodsOf(server.received()), ["initialize", DISCOVER]);
  });
});

test("a call on a server that is known to be modern is one message each way", async (t) => {
  const server = observe(t, "modern-only", { config: { era: "modern" } });
  assert.equal(textOf(await server.ask(modernCall("count"))), "1");
  assert.deepEqual([methodsOf(server.received()), server.started()], [[CALL], 1]);
});

describe("nothing is remembered of a server that", () => {
  test("crashes at its start", async (t) => {
    const server = observe(t, "crashes-at-start");
    for (const _ of [1, 2]) {
      const { error, status } = await server.ask(modernCall("any"));
      assert.deepEqual([status, error?.code, error?.data?.["reason"]], [200, -32603, "exited"]);
      assert.deepEqual(methodsOf(server.received()).slice(0, 1), [DISCOVER]);
      assert.equal(server.started(), 2);
    }
  });

  test("cannot be started", async (t) => {
    const server = observe(t, "echo", { config: { command: "no-such-program" } });
    for (const _ of [1, 2]) {
      const { error } = await server.ask(modernCall("any"));
      assert.deepEqual([error?.data?.["reason"], server.started()], ["spawn_failed", 1]);
    }
  });

  test("is modern, and starts so slowly that it seemed to be silent", async (t) => {
    const server = observe(t, "modern-starts-slowly", { args: ["--delay=700"], probeTimeoutMs: 300 });
    for (const started of [2, 1]) {
      assert.equal(textOf(await server.ask(modernCall("count"))), started === 2 ? "2" : "1");
      assert.equal(server.started(), started);
    }
  });

  test("starts so slowly that it seemed to be silent", async (t) => {
    const args = ["--delay=700"];
    const server = observe(t, "legacy-starts-slowly", { args, probeTimeoutMs: 300 });
    for (const _ of [1, 2]) {
      assert.equal(textOf(await server.ask(modernCall("any"))), "started at last");
      assert.deepEqual(methodsOf(server.received()), [DISCOVER, ...LATER]);
    }
  });
});

describe("a server whose configuration says that it is", () => {
  test("legacy, is not probed", async (t) => {
    const server = observe(t, "dual", { config: { era: "legacy" } });
    assert.equal(textOf(await server.ask(modernCall("era"))), "legacy");
    assert.deepEqual(methodsOf(server.received()), LATER);
  });

  test("dual, is spoken with in the era of each client", async (t) => {
    const server = observe(t, "dual", { config: { era: "dual" } });
    assert.equal(textOf(await server.ask(modernCall("era"))), "modern");
    assert.equal(textOf(await server.ask(post(call("era")))), "legacy");
    assert.deepEqual(methodsOf(server.received()), [CALL, ...LATER]);
  });

  test("modern, gets no handshake from a legacy client", async (t) => {
    const server = observe(t, "dual", { config: { era: "modern" } });
    assert.equal(textOf(await server.ask(post(call("era")))), "modern");
    assert.deepEqual(methodsOf(server.received()), [CALL]);
  });
});

describe("server/discover", () => {
  test("is answered from the handshake of a legacy server", async (t) => {
    const server = observe(t, "declares-everything", { config: { cacheTtlMs: 1000, cacheScope: "public" } });
    const { result, status } = await server.ask(modern(DISCOVER, {}, { id: "d" }));
    assert.equal(status, 200);
    const { supportedVersions, resultType, ttlMs, cacheScope, serverInfo, protocolVersion } = result ?? {};
    assert.deepEqual(
      [supportedVersions, resultType, ttlMs, cacheScope, serverInfo, protocolVersion],
      [["2026-07-28"], "complete", 1000, "public", undefined, undefined],
    );
    assert.deepEqual(methodsOf(server.received()), [DISCOVER, ...HANDSHAKE]);
  });

  test("is the probe itself where the era is unknown", async (t) => {
    const server = observe(t, "modern-only");
    const { result } = await server.ask(modern(DISCOVER));
    assert.deepEqual(result?.["capabilities"], { tools: {}, resources: {}, prompts: {}, logging: {} });
    assert.deepEqual(methodsOf(server.received()), [DISCOVER]);
  });

  test("promises changes only where a subscription is served", async (t) => {
    const server = observe(t, "modern-only", { listen: "serve" });
    const { result } = await server.ask(modern(DISCOVER));
    assert.deepEqual(result?.["capabilities"], {
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: {},
      logging: {},
    });
  });

  for (const name of ["crashes-at-start", "no-such-program"]) {
    test(`of a server that is ${name}, is no sign of a legacy server: 500`, async (t) => {
      const isMissing = name === "no-such-program";
      const server = observe(t, isMissing ? "echo" : name, isMissing ? { config: { command: name } } : {});
      const { status, error } = await server.ask(modern(DISCOVER));
      assert.deepEqual([status, error?.code], [500, -32603]);
    });
  }
});

describe("the HTTP status of a modern answer", () => {
  test("is 404 for a method that the server does not know", async (t) => {
    const server = observe(t, "counter");
    const { status, error } = await server.ask(modern("no/such"));
    assert.deepEqual([status, error?.code], [404, -32601]);
  });

  test("is 200 for other errors of the server, and for its own errors inside a result", async (t) => {
    const server = observe(t, "modern-only");
    const { status, error } = await server.ask(modernCall("unknown"));
    assert.deepEqual([status, error?.code], [200, -32602]);
  });
});
