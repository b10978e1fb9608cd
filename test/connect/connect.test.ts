import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { PassThrough, Writable } from "node:stream";
import { describe, test } from "node:test";

import { connect } from "../../lib/connect/connect.ts";
import { ConfigurationError } from "../../lib/configuration/error.ts";
import { deferred } from "../../lib/promises.ts";
import { answeringServer, connected } from "../support/connected.ts";
import type { Asked } from "../support/connected.ts";
import { until, within } from "../support/deadline.ts";
import { initialize, notification, request } from "../support/rpc.ts";

const INITIALIZED = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  serverInfo: { name: "s", version: "1" },
};

/** A remote with sessions, whose tools the test answers. */
function sessions(answer: (asked: Asked) => void): (asked: Asked) => void {
  return (asked) => {
    const { method, rpc, result, response } = asked;
    if (method === "GET") response.writeHead(405).end();
    else if (method === "DELETE") response.writeHead(200).end();
    else if (rpc === "initialize") result(INITIALIZED, { "mcp-session-id": "s1" });
    else if (rpc?.startsWith("notifications/")) response.writeHead(202).end();
    else answer(asked);
  };
}

describe("options that cannot be", () => {
  const rows: readonly (readonly [what: string, options: object, expected: RegExp])[] = [
    ["a URL of something else", { url: "ftp://user:secret@host/" }, /^url: expected the http/],
    ["a transport that is none", { transport: "stdio" }, /^transport: expected one of auto, http, sse$/],
    ["a header that is none", { headers: { "a b": "secret" } }, /^header "a b"/],
    ["a time that is none", { pingIntervalMs: -1 }, /^pingIntervalMs: expected a whole number/],
    ["authorities that are none", { ca: "-----BEGIN CERTIFICATE-----\nx\n" }, /not certificates in PEM/],
  ];
  for (const [what, options, expected] of rows) {
    test(`are told at once, without a secret: ${what}`, () => {
      assert.throws(
        () => connect({ url: "https://host/mcp", input: new PassThrough(), ...options }),
        (error: unknown) => {
          assert.ok(error instanceof ConfigurationError);
          assert.match(error.message, expected);
          assert.doesNotMatch(error.message, /secret/);
          return true;
        },
      );
    });
  }
});

describe("the end of the input", () => {
  test("ends everything at once, whatever is in flight, and gives the session back", async (t) => {
    const { url, asked } = await answeringServer(
      t,
      sessions(() => undefined),
    );
    const { send, answer, input, connection } = connected(t, url);
    send(initialize({ id: 0 }));
    await answer(0);
    send(notification("notifications/initialized"));
    for (let id = 1; id <= 10; id += 1) send(request("tools/call", { name: "slow" }, id));
    await until(() => asked.filter(({ rpc }) => rpc === "tools/call").length === 10, {
      withinMs: 3000,
      label: "the calls",
    });
    input.end();
    await within(connection.closed, 1000, "the end");
    assert.equal(asked.at(-1)?.method, "DELETE");
    assert.equal(asked.at(-1)?.headers["mcp-session-id"], "s1");
  });

  test("does not wait for a remote that cannot be reached", async (t) => {
    const { send, input, connection, logged } = connected(t, "http://127.0.0.1:1/mcp");
    send(initialize({ id: 0 }));
    await until(() => logged.length > 0, { withinMs: 3000, label: "a failure" });
    input.end();
    await within(connection.closed, 500, "the end");
    assert.match(logged[0] ?? "", /^cannot reach http:\/\/127\.0\.0\.1:1\/mcp: .*connection refused/);
  });

  test("does not wait for a remote that does not take its session back", async (t) => {
    const answering = sessions(({ result }) => result({}));
    const { url } = await answeringServer(t, (asked) => {
      if (asked.method !== "DELETE") answering(asked);
    });
    const { send, answer, input, connection } = connected(t, url);
    send(initialize({ id: 0 }));
    await answer(0);
    send(notification("notifications/initialized"));
    input.end();
    await within(connection.closed, 2500, "the end");
  });

  test("does not wait for a connection that is being made", async (t) => {
    const connecting = deferred();
    const mute = createServer((socket) => {
      socket.on("error", () => undefined).resume();
      connecting.resolve();
    });
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    t.after(() => mute.close());
    const { send, input, connection } = connected(
      t,
      `https://127.0.0.1:${(mute.address() as AddressInfo).port}/mcp`,
    );
    send(initialize({ id: 0 }));
    await within(connecting.promise, 3000, "a connection without an end");
    input.end();
    await within(connection.closed, 1000, "the end");
  });

  test("is seen behind all that waits for a remote that does not answer", async (t) => {
    const { url, asked } = await answeringServer(t, () => undefined);
    const { send, input, connection } = connected(t, url);
    send(initialize({ id: 0 }));
    await until(() => asked.length > 0, { withinMs: 3000, label: "the handshake" });
    for (let id = 1; id <= 3000; id += 1) send(request("tools/call", {}, id));
    input.end();
    await within(connection.closed, 1000, "the end");
  });

  test("is seen behind all that a client has asked and does not read", async (t) => {
    const { url, asked } = await answeringServer(t, () => undefined);
    const output = new PassThrough();
    const { send, input, connection } = connected(t, url, { output });
    send(initialize({ id: 0 }));
    await until(() => asked.length > 0, { withinMs: 3000, label: "the handshake" });
    for (let id = 1; id <= 3000; id += 1) send(id % 2 === 0 ? request("ping", {}, id) : "no message");
    await until(() => output.writableNeedDrain, { withinMs: 3000, label: "nobody reads" });
    input.end();
    await within(connection.closed, 2000, "the end");
  });

  test("may come before anything else", async (t) => {
    const { input, connection } = connected(t, "http://127.0.0.1:1/mcp");
    input.end();
    await within(connection.closed, 1000, "the end");
  });
});

test("a client that closes its end of the output ends the connection", async (t) => {
  const { url } = await answeringServer(
    t,
    sessions(({ result }) => result({})),
  );
  const output = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error("gone"), { code: "EPIPE" })),
  });
  const { send, connection } = connected(t, url, { output });
  send(initialize({ id: 0 }));
  await within(connection.closed, 2000, "the end");
});

test("a client that does not read is not read any more when 16 MiB wait for it", async (t) => {
  const { url } = await answeringServer(
    t,
    sessions(() => undefined),
  );
  const [input, output] = [new PassThrough(), new PassThrough()];
  const { connection } = connected(t, url, { input, output });
  const write = (message: object): boolean => input.write(`${JSON.stringify(message)}\n`);
  write(initialize({ id: 0 }));
  write(notification("notifications/initialized"));
  const id = "x".repeat(1024 ** 2);
  for (let sent = 0; sent < 60; sent += 1) write(request("slow", {}, id));
  await until(() => output.writableLength > 16 * 1024 ** 2, { withinMs: 5000, label: "errors that wait" });
  await new Promise((resolve) => setImmediate(resolve));
  // And what had been taken before.
  assert.ok(output.writableLength < 40 * 1024 ** 2, String(output.writableLength));
  input.end();
  await within(connection.closed, 2000, "the end");
});

test("a client that does not read stops the reading of the remote, and is still read", async (t) => {
  const CHUNK = `data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { x: "y".repeat(100_000) } })}\n\n`;
  const noted: unknown[] = [];
  let written = 0;
  const blocked = deferred();
  const { url } = await answeringServer(
    t,
    sessions(({ rpc, response, id, result }) => {
      if (rpc !== "flood") {
        noted.push(rpc);
        return result({});
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      const more = (): void => {
        while (written < 2000) {
          written += 1;
          if (!response.write(CHUNK)) {
            blocked.resolve();
            response.once("drain", more);
            return;
          }
        }
        response.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result: {} })}\n\n`);
      };
      more();
    }),
  );
  const output = new PassThrough();
  const { send, connection } = connected(t, url, { output });
  send(initialize({ id: 0 }));
  await until(() => output.readableLength > 0, { withinMs: 2000, label: "the handshake" });
  send(notification("notifications/initialized"));
  send(request("flood", {}, 1));
  await within(blocked.promise, 3000, "the remote is not read");
  send(request("other", {}, 2));
  await until(() => noted.includes("other"), { withinMs: 2000, label: "the other request" });
  // What the buffers of sockets hold is a few megabytes of two hundred.
  assert.ok(written <= 300, `${written} of 2000 were written`);
  await within(connection.close(), 3000, "the end");
});

test("whoever watches sees every message, and cannot disturb any", async (t) => {
  const { url } = await answeringServer(
    t,
    sessions(({ result }) => result({})),
  );
  const seen: string[] = [];
  const { send, answer } = connected(t, url, {
    onMessage: (direction, text) => {
      seen.push(`${direction} ${(JSON.parse(text) as { method?: string }).method ?? "answer"}`);
      throw new Error("watching");
    },
  });
  send(initialize({ id: 0 }));
  await answer(0);
  assert.deepEqual(seen, ["in initialize", "out answer"]);
});
