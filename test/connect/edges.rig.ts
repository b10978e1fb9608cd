// What clients and remotes do at the edge: all at once, leaving in the middle, not reading.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";

import { until, within } from "../support/deadline.ts";
import { call } from "../support/rpc.ts";
import { serveSessions } from "../support/sessions.ts";
import { connectProgram } from "./rig/programs.ts";
import { startStdio } from "./rig/stdio-client.ts";

const MEBI = 1024 * 1024;

test("a client that leaves with ten calls in flight is let go within a second, and its session is given back", async (t) => {
  const { url, pids } = await serveSessions(t, "remembers", { sessions: "independent" });
  const client = startStdio(t, connectProgram(new URL("/mcp", url)));
  await client.handshake();
  await client.ask(call("memory", {}, { id: "first" }));
  for (let id = 1; id <= 10; id++) client.send(call("hold", { key: String(id) }, { id }));
  const leftAt = performance.now();
  assert.deepEqual(await client.end(), [0, null], client.stderr());
  const tookMs = performance.now() - leftAt;
  assert.ok(tookMs < 1000, `it took ${Math.round(tookMs)} ms`);
  await until(() => pids().length === 0, { withinMs: 5000, label: "the session's process has ended" });
});

test("a thousand requests at once all have their own answer", async (t) => {
  const { url } = await serveSessions(t, "scrambles", { sessions: "independent" });
  const client = startStdio(t, connectProgram(new URL("/mcp", url)));
  await client.handshake();
  const values = Array.from({ length: 1000 }, (_, index) => `value ${index}`);
  const answers = await Promise.all(
    values.map((value, id) => client.ask(call("echo", { value }, { id: id + 1 }))),
  );
  const texts = answers.map(({ message }) => JSON.stringify(message));
  values.forEach((value, index) => assert.ok(texts[index]?.includes(`"${value}"`), texts[index]));
  assert.deepEqual(await client.end(), [0, null]);
});

test("a client that stops reading does not make it hold what a remote sends", async (t) => {
  const url = await floods(t);
  const client = startStdio(t, connectProgram(url, "--transport", "sse"));
  await client.handshake();
  client.process.stdout.pause();
  await delay(3000);
  const rss = await residentBytes(client.process.pid);
  assert.ok(rss < 300 * MEBI, `${Math.round(rss / MEBI)} MiB`);
  t.diagnostic(`${Math.round(rss / MEBI)} MiB`);
});

/** HTTP+SSE whose stream is log messages of 64 KiB without end, once the handshake is over. */
async function floods(t: { after(end: () => unknown): void }): Promise<URL> {
  const line = `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"${"x".repeat(65_536)}"}}\n\n`;
  let send: (text: string) => boolean = () => false;
  let flood = (): void => undefined;
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      response
        .writeHead(200, { "content-type": "text/event-stream" })
        .write("event: endpoint\ndata: /messages\n\n");
      send = (text) => response.write(text);
      flood = () => {
        while (response.writable && response.write(line));
      };
      response.on("drain", () => flood());
      return;
    }
    if (request.url !== "/messages") return void response.writeHead(405).end();
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      response.writeHead(202).end();
      const { id, method } = JSON.parse(body) as { id?: unknown; method: string };
      const result = {
        protocolVersion: "2025-11-25",
        capabilities: { logging: {} },
        serverInfo: { name: "floods", version: "1" },
      };
      if (method === "initialize") send(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`);
      if (method === "notifications/initialized") flood();
    });
  });
  server.listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    return within(new Promise((resolve) => server.close(resolve)), 5000, "the server closes");
  });
  await until(() => server.listening, { withinMs: 5000, label: "it listens" });
  return new URL("/sse", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

async function residentBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(join("/proc", String(pid), "status"), "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
