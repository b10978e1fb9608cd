import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { runCommand, startCommand } from "../support/command.ts";
import type { Command, CommandOptions } from "../support/command.ts";
import { until } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";

const WAIT_MS = 15_000;
const KEY = "k3y-of-the-remote";
const TOKEN = "t0ken-of-the-user";

interface Answer {
  readonly id: unknown;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string; readonly data?: { readonly reason?: string } };
}

/** `mayfly connect`, spoken to as a client does. */
interface Connecting extends Command {
  ask(method: string, params?: object): Promise<Answer>;
  /** What has been written to stdout, as lines. */
  lines(): string[];
  /** Asks `initialize`. */
  open(): Promise<Answer>;
}

async function startConnecting(
  t: TestContext,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Connecting> {
  const command = await startCommand(t, args, { ...options, input: true });
  const { stdin } = command.process;
  stdin?.on("error", () => undefined);
  let id = 0;
  const lines = (): string[] => command.stdout().split("\n").slice(0, -1);
  const ask: Connecting["ask"] = (method, params = {}) => {
    const own = (id += 1);
    stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id: own, method, params })}\n`);
    const find = (): Answer | undefined =>
      lines()
        .map((line) => JSON.parse(line) as Answer)
        .find((answer) => answer.id === own);
    return until(find, { withinMs: WAIT_MS, label: () => `an answer to ${method}: ${command.stderr()}` });
  };
  const clientInfo = { name: "a client", version: "1" };
  const open = (): Promise<Answer> =>
    ask("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
  return { ...command, ask, lines, open };
}

interface FakeRemote {
  readonly url: string;
  readonly requests: readonly { readonly method: string; readonly headers: IncomingHttpHeaders }[];
}

/** A server of streamable HTTP that repeats what it is given, and all its headers. */
async function startRemote(t: TestContext, listener: RequestListener = repeat): Promise<FakeRemote> {
  const requests: { method: string; headers: IncomingHttpHeaders }[] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method ?? "", headers: request.headers });
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, requests };
}

const repeat: RequestListener = (request, response) => {
  if (request.method !== "POST") return void response.writeHead(405).end();
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as Readonly<
      Record<"id" | "method" | "params", unknown>
    >;
    if (id === undefined) return void response.writeHead(202).end();
    const result = method === "initialize" ? INITIALIZED : { params, headers: request.headers };
    const session = { "Content-Type": "application/json", "Mcp-Session-Id": "one" };
    response.writeHead(200, session).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
};

function headersOf(result: Answer["result"]): IncomingHttpHeaders {
  return (result?.["headers"] ?? {}) as IncomingHttpHeaders;
}

const INITIALIZED = {
  protocolVersion: "2025-06-18",
  capabilities: { tools: {} },
  serverInfo: { name: "a server", version: "1" },
};

test("a URL alone is a stdio server, which writes messages to stdout and nothing else", async (t) => {
  const remote = await startRemote(t);
  const connecting = await startConnecting(t, [remote.url, "--debug", "--header", "X-Team: blue"]);
  assert.deepEqual((await connecting.open()).result, INITIALIZED);
  const { result } = await connecting.ask("tools/call", { name: "a" });
  assert.deepEqual(result?.["params"], { name: "a" });
  assert.equal(headersOf(result)["x-team"], "blue");
  connecting.process.stdin?.end();
  const { code, stdout, stderr } = await connecting.exit();
  assert.equal(code, 0);
  assert.equal(stdout.trimEnd().split("\n").length, 2);
  assert.match(stderr, /"direction":"to server".*tools\/call/);
  assert.ok(
    remote.requests.some(({ method }) => method === "DELETE"),
    "the session is given back",
  );
});

test("a request needs no handshake before it, for those who try things out by hand", async (t) => {
  const remote = await startRemote(t);
  const connecting = await startConnecting(t, ["connect", remote.url]);
  assert.deepEqual((await connecting.ask("tools/list", { cursor: "a" })).result?.["params"], { cursor: "a" });
});

describe("the end is code 0", () => {
  test("at a signal, with stdin open", async (t) => {
    const connecting = await startConnecting(t, ["connect", (await startRemote(t)).url]);
    await connecting.open();
    connecting.process.kill("SIGHUP");
    const { code, stdout } = await connecting.exit();
    assert.deepEqual([code, stdout.trimEnd().split("\n").length], [0, 1]);
  });

  test("at the end of stdin, with a request that nobody answers", async (t) => {
    const remote = await startRemote(t, (request, response) => {
      const isOfSession = request.headers["mcp-session-id"] !== undefined;
      if (!isOfSession || request.method === "DELETE") repeat(request, response);
    });
    const connecting = await startConnecting(t, ["connect", remote.url]);
    await connecting.open();
    connecting.process.stdin?.end('{"jsonrpc":"2.0","id":9,"method":"tools/list"}\n');
    assert.equal((await connecting.exit()).code, 0);
  });

  test("where nobody reads stdout any more", async (t) => {
    const connecting = await startConnecting(t, ["connect", (await startRemote(t)).url]);
    await connecting.open();
    connecting.process.stdout?.destroy();
    connecting.process.stdin?.write('{"jsonrpc":"2.0","id":9,"method":"tools/list"}\n');
    assert.equal((await connecting.exit()).code, 0);
  });
});

test("a second signal waits for nothing", async (t) => {
  const remote = await startRemote(t, (request, response) => {
    if (request.method !== "DELETE") repeat(request, response);
  });
  const connecting = await startConnecting(t, ["connect", remote.url]);
  await connecting.open();
  connecting.process.kill("SIGTERM");
  const isGivenBack = (): boolean => remote.requests.some(({ method }) => method === "DELETE");
  await until(isGivenBack, { withinMs: WAIT_MS, label: connecting.stderr });
  connecting.process.kill("SIGINT");
  assert.equal((await connecting.exit()).code, 130);
});

test("stderr that nobody reads any more ends nothing", async (t) => {
  const connecting = await startConnecting(t, ["connect", "--debug", (await startRemote(t)).url]);
  await connecting.open();
  connecting.process.stderr?.destroy();
  for (const name of ["a", "b"]) {
    assert.deepEqual((await connecting.ask("tools/call", { name })).result?.["params"], { name });
  }
  connecting.process.stdin?.end();
  assert.equal((await connecting.exit()).code, 0);
});

describe("a command line that cannot work", () => {
  const rows: readonly (readonly [args: readonly string[], stderr: RegExp])[] = [
    [
      ["connect", "--client-secret", "s3cret", "https://a.example/"],
      /--client-secret is about logging in by OAuth/,
    ],
    [["--unknown", "https://example.com/?k=s3cret"], /unknown option '--unknown'/],
    [
      ["connect", "--debug-file", "/not/there/log", "https://example.com/"],
      /\/not\/there\/log cannot be written/,
    ],
  ];
  for (const [args, expected] of rows) {
    test(args.join(" "), async (t) => {
      const { code, stdout, stderr } = await runCommand(t, args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /s3cret|    at /);
    });
  }
});

test("a server that cannot be reached is an error of the request and a line on stderr, and not the end", async (t) => {
  const args = ["connect", "--start-timeout", "100", "http://127.0.0.1:1/mcp?auth_key=s3cret-of-the-url"];
  const connecting = await startConnecting(t, args);
  const { error } = await connecting.open();
  assert.equal(error?.data?.reason, "unreachable");
  assert.match(
    connecting.stderr(),
    /cannot reach http:\/\/127\.0\.0\.1:1\/mcp: connection refused; trying again/,
  );
  assert.deepEqual((await connecting.ask("ping")).result, {});
  assert.doesNotMatch(connecting.stderr() + connecting.stdout(), /s3cret/);
});

test("a server that wants a login is an error that names mcp-remote", async (t) => {
  const challenge = 'Bearer resource_metadata="https://example.com/.well-known/oauth-protected-resource"';
  const remote = await startRemote(t, (_request, response) => {
    response.writeHead(401, { "WWW-Authenticate": challenge }).end();
  });
  const connecting = await startConnecting(t, ["connect", remote.url]);
  const { error } = await connecting.open();
  assert.equal(error?.data?.reason, "unauthorized");
  assert.ok(error?.message.includes(`npx mcp-remote ${remote.url}`), error?.message);
});

describe("secrets", () => {
  test("of the environment and of files go to the server, and into no log", async (t) => {
    const remote = await startRemote(t);
    const folder = await temporaryFolder(t);
    const [headers, log] = [join(folder, "headers"), join(folder, "log")];
    writeFileSync(headers, "X-Team: t3am-of-the-file\n");
    writeFileSync(log, "before\n", { mode: 0o644 });
    const args = [
      "connect",
      "--header-file",
      headers,
      "--debug-file",
      log,
      "${BASE}?auth_key=s3cret-of-the-url",
    ];
    const env = { API_ACCESS_TOKEN: TOKEN, MAYFLY_API_KEY: KEY, BASE: remote.url };
    const connecting = await startConnecting(t, args, { env });
    await connecting.open();
    const { result } = await connecting.ask("tools/call", { quoted: `${TOKEN} "${KEY}"`, shown: "shown" });
    const sent = headersOf(result);
    assert.deepEqual(
      [sent.authorization, sent["x-api-key"], sent["x-team"]],
      [`Bearer ${TOKEN}`, KEY, "t3am-of-the-file"],
    );
    connecting.process.stdin?.end();
    const { stderr } = await connecting.exit();
    const logged = readFileSync(log, "utf8");
    assert.match(logged, /^before\n\{/);
    assert.match(logged, /"direction":"to server".*shown/);
    assert.match(logged, /"direction":"from server".*shown/);
    assert.equal(statSync(log).mode & 0o777, 0o600);
    assert.doesNotMatch(stderr, /shown/);
    for (const text of [logged, stderr]) {
      assert.doesNotMatch(text, /t0ken-of|k3y-of|t3am-of|s3cret-of/);
    }
  });

  test("in the arguments are hidden once it runs", { skip: process.platform !== "linux" }, async (t) => {
    const remote = await startRemote(t);
    const connecting = await startConnecting(t, ["connect", "--api-key", KEY, remote.url]);
    await connecting.open();
    assert.doesNotMatch(readFileSync(`/proc/${connecting.pid}/cmdline`, "utf8"), /k3y-of/);
    assert.equal(remote.requests[0]?.headers["x-api-key"], KEY);
  });
});
