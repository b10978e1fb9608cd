import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createFront } from "../../lib/connect/front.ts";
import type { Front } from "../../lib/connect/front.ts";
import { Unavailable } from "../../lib/connect/link.ts";
import type { Link, Opening } from "../../lib/connect/link.ts";
import { InitializeRefused } from "../../lib/connect/remote.ts";
import { MayflyError } from "../../lib/errors.ts";
import { silentLogger } from "../../lib/logger.ts";
import type { Logger } from "../../lib/logger.ts";
import { deferred } from "../../lib/promises.ts";
import { until, within } from "../support/deadline.ts";
import { modern } from "../support/modern.ts";
import { initialize, notification, request } from "../support/rpc.ts";
import { heardClient, message } from "../support/stdio-client.ts";
import type { HeardClient } from "../support/stdio-client.ts";

interface Opened {
  readonly opening: Opening;
  /** Methods of what it was given. */
  readonly received: string[];
  isClosed: boolean;
}

interface Rig {
  readonly front: Front;
  readonly client: HeardClient;
  readonly opened: readonly Opened[];
  readonly logged: readonly string[];
}

interface RigOptions {
  /** Runs before a link is there. */
  readonly before?: (attempt: number, signal: AbortSignal) => Promise<void>;
  readonly startTimeoutMs?: number;
}

function rig(t: TestContext, { before, startTimeoutMs = 5000 }: RigOptions = {}): Rig {
  const client = heardClient();
  const opened: Opened[] = [];
  const logged: string[] = [];
  let attempts = 0;
  const log = (_fields: object, text: string): void => void logged.push(text);
  const logger: Logger = { ...silentLogger, info: log, warn: log, error: log };
  const open = async (opening: Opening, signal: AbortSignal): Promise<Link> => {
    await before?.((attempts += 1), signal);
    const one: Opened = { opening, received: [], isClosed: false };
    opened.push(one);
    return linkTo(one, client);
  };
  const front = createFront({ client, open, startTimeoutMs, where: "https://remote/mcp", logger });
  t.after(() => within(front.close(), 2000, "the front closes"));
  return { front, client, opened, logged };
}

function linkTo(one: Opened, client: HeardClient): Link {
  return {
    relay: {
      async receive({ value }) {
        if ("method" in value) one.received.push(value.method);
        if ("method" in value && "id" in value)
          await client.write(JSON.stringify({ jsonrpc: "2.0", id: value.id, result: {} }));
      },
      hear: async () => undefined,
      close: async () => undefined,
    },
    close: async () => void (one.isClosed = true),
  };
}

const unreachable = (): MayflyError =>
  new MayflyError("REMOTE_UNREACHABLE", { values: { detail: "connection refused" } });

describe("the first message", () => {
  test("of a legacy client is its handshake, and all that follows goes the same way", async (t) => {
    const { front, client, opened } = rig(t);
    void front.receive(message(initialize({ id: 0 })));
    void front.receive(message(notification("notifications/initialized")));
    void front.receive(message(request("tools/list", {}, 1)));
    await client.answer(1);
    assert.deepEqual(
      opened.map(({ opening, received }) => [opening.era, received]),
      [["legacy", ["initialize", "notifications/initialized", "tools/list"]]],
    );
  });

  test("of a modern client has an envelope, and is no probe", async (t) => {
    const { front, client, opened } = rig(t);
    void front.receive(message(modern("tools/call", { name: "echo" }, { id: 1 }).body));
    await client.answer(1);
    assert.deepEqual(opened[0]?.opening.era, "modern");
    assert.deepEqual(opened[0].received, ["tools/call"]);
  });

  test("of somebody at a shell has neither, and the handshake is made for them", async (t) => {
    const { front, client, opened } = rig(t);
    void front.receive(message(request("tools/list", {}, 1)));
    await client.answer(1);
    assert.equal(opened[0]?.opening.request.value.method, "initialize");
    assert.deepEqual(opened[0].received, ["notifications/initialized", "tools/list"]);
  });

  test("that is no request belongs to nothing", async (t) => {
    const { front, client, opened } = rig(t);
    void front.receive(message(notification("notifications/initialized")));
    void front.receive(message({ jsonrpc: "2.0", id: 1, result: {} }));
    void front.receive(message(request("ping", undefined, 2)));
    await client.answer(2);
    assert.deepEqual(opened, []);
  });
});

describe("a client that changes its era", () => {
  test("from modern to legacy, as one that probes, gets another link, and the first is closed", async (t) => {
    const { front, client, opened } = rig(t);
    void front.receive(message(modern("tools/call", { name: "echo" }, { id: 1 }).body));
    void front.receive(message(initialize({ id: 2 })));
    await client.answer(2);
    assert.deepEqual(
      opened.map(({ opening, isClosed }) => [opening.era, isClosed]),
      [
        ["modern", true],
        ["legacy", false],
      ],
    );
  });

  test("to what it was gets another session by another handshake", async (t) => {
    const { front, client, opened } = rig(t);
    void front.receive(message(initialize({ id: 1 })));
    void front.receive(message(initialize({ id: 2 })));
    await client.answer(2);
    assert.deepEqual(
      opened.map(({ isClosed }) => isClosed),
      [true, false],
    );
  });
});

describe("a remote that cannot be reached", () => {
  test("is tried until it is there, and what the client says meanwhile waits in its order", async (t) => {
    const { front, client, opened, logged } = rig(t, {
      before: async (attempt) => {
        if (attempt < 3) throw unreachable();
      },
    });
    void front.receive(message(initialize({ id: 0 })));
    void front.receive(message(request("a", {}, 1)));
    void front.receive(message(request("b", {}, 2)));
    await client.answer(2);
    assert.deepEqual(opened[0]?.received, ["initialize", "a", "b"]);
    assert.equal(logged.length, 2, logged.join("\n"));
    assert.match(logged[0] ?? "", /^cannot reach https:\/\/remote\/mcp: connection refused; trying again$/);
    assert.match(logged[1] ?? "", /^https:\/\/remote\/mcp is there again$/);
  });

  test("is told to the client when it has waited long enough, and is found by a later request", async (t) => {
    let isThere = false;
    const { front, client } = rig(t, {
      startTimeoutMs: 30,
      before: async () => {
        if (!isThere) throw new Unavailable(unreachable());
      },
    });
    void front.receive(message(initialize({ id: 0 })));
    const { error } = await client.answer(0);
    assert.equal(error?.code, -32603);
    assert.deepEqual(error.data, { reason: "unreachable" });
    isThere = true;
    await until(
      async () => {
        void front.receive(message(request("a", {}, "a")));
        return client.texts.some((text) => text.includes("result"));
      },
      { withinMs: 4000, label: "the remote is found" },
    );
  });

  test("does not keep a ping waiting", async (t) => {
    const { front, client } = rig(t, {
      before: async () => {
        throw unreachable();
      },
    });
    void front.receive(message(initialize({ id: 0 })));
    void front.receive(message(request("ping", undefined, 1)));
    assert.deepEqual((await client.answer(1)).result, {});
  });

  test("is asked nothing that the client has cancelled meanwhile", async (t) => {
    const there = deferred();
    const { front, client, opened } = rig(t, { before: () => there.promise });
    void front.receive(message(initialize({ id: 0 })));
    void front.receive(message(request("a", {}, 1)));
    void front.receive(message(request("b", {}, 2)));
    void front.receive(message(notification("notifications/cancelled", { requestId: 1 })));
    there.resolve();
    await client.answer(2);
    assert.deepEqual(opened[0]?.received, ["initialize", "b"]);
  });

  test("makes a client that floods us wait", async (t) => {
    const there = deferred();
    const { front, client } = rig(t, { before: () => there.promise });
    let room: Promise<void> | undefined;
    let id = 0;
    for (; !room && id < 5000; id += 1) room = front.receive(message(request("a", {}, id)));
    assert.equal(id, 1000);
    there.resolve();
    await within(room ?? Promise.resolve(), 2000, "room");
    await client.answer(999);
  });

  test("keeps nothing from ending", async (t) => {
    const { front } = rig(t, {
      before: (_attempt, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
    });
    void front.receive(message(initialize({ id: 0 })));
    await within(front.close(), 500, "the front closes");
  });
});

describe("a remote that refuses", () => {
  test("has its own error handed to the client, and is asked anew by the next handshake", async (t) => {
    const answer = message<{ id: string; error: unknown }>(
      '{"jsonrpc":"2.0","id":"other","error":{"code":-32602,"message":"too old","data":12345678901234567890}}',
    );
    const { front, client, opened } = rig(t, {
      before: async (attempt) => {
        if (attempt === 1) throw new InitializeRefused(200, answer, unreachable());
      },
    });
    void front.receive(message(initialize({ id: 0 })));
    await client.answer(0);
    assert.equal(client.texts[0], answer.text.replace('"other"', "0"));
    void front.receive(message(initialize({ id: 1 })));
    await client.answer(1);
    assert.equal(opened.length, 1);
  });

  test("for good is told at once", async (t) => {
    const { front, client } = rig(t, {
      before: async () => {
        throw new MayflyError("REMOTE_UNAUTHORIZED", { values: { status: 401 } });
      },
    });
    void front.receive(message(initialize({ id: 0 })));
    assert.match((await client.answer(0)).error?.message ?? "", /does not let us in/);
  });
});
