import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request as send } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { roomForConnections } from "../lib/descriptors.ts";
import { limited, startServing } from "./support/command.ts";
import { until, within } from "./support/deadline.ts";
import { fixture } from "./support/fixture.ts";
import { descriptorsOf, isAlive, waitUntilGone } from "./support/processes.ts";
import { call, initialize, post, request } from "./support/rpc.ts";

const WAIT_MS = 20_000;
const NO_SHELL = process.platform === "win32" && "there is no ulimit";
const NO_PROC = descriptorsOf(process.pid) === undefined && "there is no /proc";
const SOCKETS = 500;
/** Fewer, and Node could not load its modules. */
const DESCRIPTORS = 320;

describe("roomForConnections", () => {
  for (const [maxProcesses, limit, room] of [
    [8, 1024, 896],
    [16, 1_048_576, 1_048_384],
    [100, 1024, 160],
    // There is always room for a few.
    [200, 1024, 16],
    [4, 64, 16],
  ] as const) {
    test(`of ${limit} descriptors and ${maxProcesses} processes is ${room}`, () => {
      assert.equal(roomForConnections(maxProcesses, limit), room);
    });
  }
});

/** Connections that say nothing; some of them are dropped. */
async function openSilent(t: TestContext, url: string): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: SOCKETS }, () => connect(Number(port), hostname));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  // That a connection is dropped is what is tried here.
  for (const socket of sockets) socket.on("error", () => undefined);
  const settled = sockets.map((socket) => Promise.race([once(socket, "connect"), once(socket, "close")]));
  await within(Promise.all(settled), WAIT_MS, "every connection is there or refused");
  return sockets;
}

type Answer = readonly [status: number, text: string];

/** A request on the connection that the agent keeps, or on one of its own. */
async function ask(agent: Agent | false, url: string, message: object = call("count")): Promise<Answer> {
  const { body, ...init } = post(message, { accept: "application/json" });
  const answer = new Promise<IncomingMessage>((resolve, reject) =>
    send(`${url}/mcp`, { ...init, agent }, resolve)
      .once("error", reject)
      .end(body),
  );
  const response = await within(answer, WAIT_MS, "an answer");
  return [response.statusCode ?? 0, Buffer.concat(await response.toArray()).toString()];
}

/** The same on one of its own; undefined where that was refused. */
async function answerOf(url: string): Promise<Answer | undefined> {
  try {
    return await ask(false, url);
  } catch (error) {
    if (REFUSALS.has((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

const REFUSAL = "no file descriptors left";
const REFUSALS: ReadonlySet<string> = new Set(["ECONNRESET", "ECONNREFUSED", "EPIPE"]);

for (const sessions of ["none", "shared"]) {
  test(
    `many silent connections do not end the adapter (sessions ${sessions})`,
    { skip: NO_SHELL },
    async (t) => {
      const { command, args, token } = fixture("counter");
      const words = ["--sessions", sessions, "--max-processes", "2", "--", command, ...args];
      const { url, pid, stderr } = await startServing(t, words, { token, descriptors: DESCRIPTORS });
      const sockets = await openSilent(t, url);
      for (let round = 0; round < 3; round += 1) {
        const [status = 503, text = '"error"'] = (await answerOf(url)) ?? [];
        if (status !== 200)
          assert.ok([500, 503].includes(status) && text.includes('"error"'), `${status} ${text}`);
      }
      assert.ok(isAlive(pid), stderr());
      for (const socket of sockets) socket.destroy();
      const isServed = async (): Promise<boolean> => (await answerOf(url))?.[0] === 200;
      await until(isServed, { withinMs: WAIT_MS, label: () => `calls are answered again: ${stderr()}` });
    },
  );
}

/** A host of its own, which limits its connections by nothing but its descriptors. */
const HOST = `
  import { createServer } from "node:http";
  import { createHandler } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url))};
  import { toNodeHandler } from ${JSON.stringify(new URL("../dist/adapters/node.js", import.meta.url))};
  const [sessions, command, ...args] = process.argv.slice(1);
  const handler = createHandler({ mcpServers: { only: { command, args } }, sessions, allowAnonymous: true });
  const server = createServer(toNodeHandler(handler));
  server.on("error", () => {}).listen(0, "127.0.0.1", () => console.log(server.address().port));
  process.on("SIGTERM", async () => process.exit(await handler.close()));
`;

/** Starts it. */
async function startHost(
  t: TestContext,
  sessions: string,
): Promise<{ readonly url: string; readonly pid: number }> {
  const { command, args, token } = fixture("counter");
  const words = [process.execPath, "--input-type=module", "-e", HOST, sessions, command, ...args];
  const [program = "", ...rest] = limited(words, DESCRIPTORS);
  const host = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(host, "close");
  t.after(async () => {
    host.kill();
    await within(closed, WAIT_MS, "the host exits").finally(() => host.kill("SIGKILL"));
    await waitUntilGone(token);
  });
  const [line] = (await within(once(host.stdout, "data"), WAIT_MS, "the host listens")) as [Buffer];
  return { url: `http://127.0.0.1:${Number(line)}`, pid: host.pid ?? 0 };
}

for (const [sessions, message] of [
  ["none", call("count")],
  ["shared", call("count")],
  ["independent", initialize()],
] as const) {
  test(
    `a host without descriptors says so, as long as that lasts (sessions ${sessions})`,
    { skip: NO_SHELL || NO_PROC },
    async (t) => {
      const { url, pid } = await startHost(t, sessions);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      t.after(() => agent.destroy());
      await ask(agent, url, request("ping"));
      const sockets = await openSilent(t, url);
      // A process that is shared, once started, needs no more of them. One is for looking at them.
      const isFull = (): boolean => (descriptorsOf(pid) ?? 0) >= DESCRIPTORS - 1;
      await until(isFull, { withinMs: WAIT_MS, label: () => `all are taken: ${descriptorsOf(pid)}` });
      for (let round = 0; round < 3; round += 1) {
        const [status, text] = await ask(agent, url, message);
        assert.match(text, new RegExp(REFUSAL));
        assert.ok(sessions === "shared" || status === 503, `${status} ${text}`);
      }
      for (const socket of sockets) socket.destroy();
      const isServed = async (): Promise<boolean> => (await ask(agent, url, message))[1].includes('"result"');
      await until(isServed, { withinMs: WAIT_MS, label: "requests are answered again" });
    },
  );
}
