import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import { until, within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { exchangeRaw, openRaw, statusesIn } from "../support/raw-http.ts";
import { call } from "../support/rpc.ts";
import { PEM } from "../support/tls.ts";

const WAIT_MS = 15_000;
const HEALTH = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async function setUp(t: TestContext, options: Partial<ServeOptions> = {}) {
  const { command, args, token } = fixture("silent-in-call");
  const warnings: string[] = [];
  const ignore = (): void => undefined;
  const logger = {
    debug: ignore,
    info: ignore,
    warn: (fields: object, message: string) => void warnings.push(`${JSON.stringify(fields)} ${message}`),
    error: ignore,
  };
  const mcpServers = { s: { command, args } };
  const server = await serve({ mcpServers, port: 0, maxConnections: 3, logger, ...options });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return { url: server.url, token, warnings };
}

describe("a connection more than there may be", () => {
  test("takes the place of the oldest that has made no request", async (t) => {
    const { url } = await setUp(t);
    const used = await openRaw(t, url);
    used.socket.write(HEALTH);
    await used.receives(/200 OK/);
    const oldest = await openRaw(t, url);
    oldest.socket.write("GET /hea");
    const other = await openRaw(t, url);
    assert.deepEqual(statusesIn(await exchangeRaw(t, url, LAST)), [200]);
    assert.equal(await oldest.ended(), "");
    for (const { socket, receives } of [used, other]) {
      socket.write(LAST);
      await receives(/200 OK/);
    }
  });

  test("else of the one that has been idle for the longest", async (t) => {
    const { url } = await setUp(t);
    const all = [await openRaw(t, url), await openRaw(t, url), await openRaw(t, url)];
    for (const { socket, receives } of all) {
      socket.write(HEALTH);
      await receives(/200 OK[^]*\}$/);
    }
    // The first one is used again.
    all[0]?.socket.write(HEALTH);
    await all[0]?.receives(/\}HTTP[^]*\}$/);
    assert.deepEqual(statusesIn(await exchangeRaw(t, url, LAST)), [200]);
    await all[1]?.ended();
    for (const raw of [all[0], all[2]]) {
      raw?.socket.write(LAST);
      assert.equal(statusesIn((await raw?.ended()) ?? "").at(-1), 200);
    }
  });

  test("is turned away where all are busy, which is told once", async (t) => {
    const { url, token, warnings } = await setUp(t);
    const body = JSON.stringify(call("any"));
    const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    for (let count = 0; count < 3; count++) (await openRaw(t, url)).socket.write(`${head}\r\n\r\n${body}`);
    await until(() => processesWith(token).length === 3, { withinMs: WAIT_MS, label: "three calls" });
    for (let count = 0; count < 5; count++) assert.equal(await exchangeRaw(t, url, LAST), "");
    assert.deepEqual(warnings, [
      '{"maxConnections":3,"refused":1} All connections are busy: new ones are turned away',
    ]);
  });

  test("takes the place of a TLS handshake that does not end", async (t) => {
    const tls = { cert: PEM.leaf + PEM.intermediate, key: PEM.key };
    const { url } = await setUp(t, { tls });
    const oldest = await openRaw(t, url);
    for (let count = 0; count < 3; count++) await openRaw(t, url);
    assert.equal(await oldest.ended(), "");
  });
});

test("a TLS handshake that does not end in time is cut", async (t) => {
  const tls = { cert: PEM.leaf + PEM.intermediate, key: PEM.key };
  const { url } = await setUp(t, { tls, headersTimeoutMs: 300 });
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => undefined).resume();
  await within(once(socket, "close"), WAIT_MS, "the connection is cut");
});
