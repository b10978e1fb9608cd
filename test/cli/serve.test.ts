import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

import { runCommand, startServing } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { readEvents } from "../support/event-stream.ts";
import { temporaryFolder } from "../support/files.ts";
import { fixture, testToken } from "../support/fixture.ts";
import { modernCall } from "../support/modern.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post, request } from "../support/rpc.ts";

const WAIT_MS = 15_000;

interface Answer {
  readonly id?: unknown;
  readonly result?: { readonly content?: readonly { readonly text: string }[] };
  readonly error?: { readonly message: string; readonly data?: { readonly reason?: string } };
}

async function ask(url: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await within(fetch(url, post(body, headers)), WAIT_MS, `an answer of ${url}`);
  return (await response.json()) as Answer;
}

async function toolText(url: string, name: string, headers: Record<string, string> = {}): Promise<string> {
  const { result, error } = await ask(url, call(name), headers);
  return result?.content?.[0]?.text ?? JSON.stringify(error);
}

interface ChildState {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** What the fixture `environment` says about itself. */
async function stateOf(url: string, headers: Record<string, string> = {}): Promise<ChildState> {
  return JSON.parse(await toolText(`${url}/mcp`, "environment", headers)) as ChildState;
}

async function configFile(t: TestContext, config: unknown, name = "servers.json"): Promise<string> {
  const file = join(await temporaryFolder(t), name);
  await writeFile(file, typeof config === "string" ? config : JSON.stringify(config));
  return file;
}

const WAYS = [
  ["after --", (words: readonly string[]) => ["--", ...words]],
  ["without --", (words: readonly string[]) => [...words]],
  ["after serve and --", (words: readonly string[]) => ["serve", "--", ...words]],
] as const;

for (const [where, written] of WAYS) {
  test(`a command line ${where} is served, and its URL is printed`, async (t) => {
    const { command, args, token } = fixture("counter", "-e", "--port", "-h", "--version");
    const { url } = await startServing(t, written([command, ...args]), { token });
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(await toolText(`${url}/mcp`, "count"), "1");
    assert.equal(await toolText(`${url}/mcp`, "count"), "1");
  });
}

test("a configuration file is served, and paths in it start from its folder", async (t) => {
  const [counter, environment] = [fixture("counter"), fixture("environment")];
  const mcpServers = {
    one: { command: counter.command, args: counter.args },
    two: { command: environment.command, args: environment.args, cwd: "." },
  };
  const file = await configFile(t, { mcpServers, default: "one" });
  const { url } = await startServing(t, ["--config", file], { token: counter.token });
  t.after(() => waitUntilGone(environment.token));
  assert.equal(await toolText(`${url}/mcp`, "count"), "1");
  const { cwd } = JSON.parse(await toolText(`${url}/mcp/two`, "environment")) as ChildState;
  assert.equal(join(cwd, "servers.json"), file);
});

test("./mcp.json and MCP_CONFIG are found without an option", async (t) => {
  const { command, args, token } = fixture("counter");
  const file = await configFile(t, { mcpServers: { one: { command, args } } }, "mcp.json");
  const found = await startServing(t, [], { cwd: join(file, "..") });
  assert.equal(await toolText(`${found.url}/mcp`, "count"), "1");
  const named = await startServing(t, [], { env: { MCP_CONFIG: file }, token });
  assert.equal(await toolText(`${named.url}/mcp`, "count"), "1");
});

test("MCP_SERVER_CONFIG may be a command line, with quotes and without a shell", async (t) => {
  const { command, args, token } = fixture("environment", "a b", "$HOME");
  const words = [command, ...args].map((word) => `'${word}'`).join(" ");
  const { url } = await startServing(t, [], { env: { MCP_SERVER_CONFIG: words }, token });
  const { argv } = JSON.parse(await toolText(`${url}/mcp`, "environment")) as { argv: string[] };
  assert.deepEqual(argv.slice(-2), ["a b", "$HOME"]);
});

test("MCP_SERVER_CONFIG may be a configuration, and --config wins over it", async (t) => {
  const [counter, environment] = [fixture("counter"), fixture("environment")];
  const configOf = ({ command, args }: typeof counter) => ({ mcpServers: { it: { command, args } } });
  const env = { MCP_SERVER_CONFIG: JSON.stringify(configOf(counter)) };
  const variable = await startServing(t, [], { env, token: counter.token });
  assert.equal(await toolText(`${variable.url}/mcp`, "count"), "1");
  const file = await configFile(t, configOf(environment));
  const option = await startServing(t, ["--config", file], { env, token: environment.token });
  assert.ok("PATH" in (await stateOf(option.url)).env);
});

test("a server inherits a short list of variables, what -e gives it, and nothing else", async (t) => {
  const { command, args, token } = fixture("environment");
  const env = { TZ: "UTC", LANG: "C", LC_ALL: "C", UNRELATED: "no", NODE_OPTIONS: "", AUTH_KEY: "k3y" };
  const given = ["-e", "A=1=2", "-e", "B", "two words", "--env", "C="];
  const { url } = await startServing(t, [...given, "--", command, ...args], { env, token });
  const state = await stateOf(url, { "x-api-key": "k3y" });
  assert.deepEqual(Object.keys(state.env).toSorted(), [
    "A",
    "B",
    "C",
    "HOME",
    "LANG",
    "LC_ALL",
    "MAYFLY_PROCESS",
    "PATH",
    "TZ",
  ]);
  assert.deepEqual([state.env["A"], state.env["B"], state.env["C"]], ["1=2", "two words", ""]);
});

test("--input-mode and --era reach the server, by option or by variable", async (t) => {
  const { command, args, token } = fixture("legacy-asks");
  const env = { INPUT_MODE: "rerun", STATE_SECRET: "a secret of the tests that is long enough" };
  const { url } = await startServing(t, ["--era", "legacy", "--", command, ...args], { env, token });
  const asked = modernCall("ask-one", {}, { capabilities: { elicitation: {} } });
  const response = await within(fetch(`${url}/mcp`, asked), WAIT_MS, "an answer");
  const { result } = (await response.json()) as { result: { resultType: string; requestState: string } };
  assert.equal(result.resultType, "input_required");
  assert.match(result.requestState, /^mayfly1\./);
});

const OWN = {
  STATE_SECRET: "a secret of the tests that is long enough",
  INPUT_MODE: "refuse",
  AUTH_KEY: "k3y",
  ALLOW_ANONYMOUS: "false",
  PORT: "1",
  HOST: "127.0.0.1",
  LOG_LEVEL: "warn",
  SPARES: "0",
  MAX_PROCESSES: "4",
};

test("--pass-env hands on names and prefixes, and with * everything but Mayfly's own", async (t) => {
  const { command, args, token } = fixture("environment");
  const env = { ...OWN, ONE: "1", MANY_A: "a", MANY_B: "b", OTHER: "o" };
  const headers = { "x-api-key": "k3y" };
  const named = ["--pass-env", "ONE,MANY_*", "--", command, ...args];
  const some = await stateOf((await startServing(t, named, { env })).url, headers);
  assert.deepEqual(Object.keys(some.env).toSorted(), [
    "HOME",
    "MANY_A",
    "MANY_B",
    "MAYFLY_PROCESS",
    "ONE",
    "PATH",
  ]);
  const options = { env: { ...env, PASS_ENV: "*" }, token };
  const all = await stateOf((await startServing(t, ["--", command, ...args], options)).url, headers);
  const names = ["HOME", "MANY_A", "MANY_B", "MAYFLY_PROCESS", "ONE", "OTHER", "PATH"];
  assert.deepEqual(Object.keys(all.env).toSorted(), names);
  assert.ok(!JSON.stringify(all).includes("k3y"), "the key reached the server");
});

test("--allow-env lets a URL set variables, by option or by variable", async (t) => {
  const { command, args, token } = fixture("environment");
  const words = ["--", command, ...args];
  const option = await startServing(t, ["--allow-env", "TOKEN,DB_*", ...words], { env: { ALLOW_ENV: "NO" } });
  const variable = await startServing(t, words, { env: { ALLOW_ENV: "*" }, token });
  const seen = async (url: string, query: string): Promise<ChildState> =>
    JSON.parse(await toolText(`${url}/mcp?${query}`, "environment")) as ChildState;
  assert.equal((await seen(option.url, "DB_NAME=x&TOKEN=y")).env["DB_NAME"], "x");
  assert.match(await toolText(`${option.url}/mcp?NO=1`, "environment"), /--allow-env/);
  assert.equal((await seen(variable.url, "ANY=1")).env["ANY"], "1");
});

test("--allow-tools and --deny-tools hide tools, also from the example, and replace the file's lists", async (t) => {
  const { command, args, token } = fixture("reads-only");
  const mcpServers = { one: { command, args, tools: { allow: ["no-such"], deny: ["read-*"] } } };
  const file = await configFile(t, { mcpServers });
  const listed = async (url: string): Promise<unknown> => {
    const { result } = await ask(`${url}/mcp`, request("tools/list"));
    return (result as { tools: { name: string }[] }).tools.map(({ name }) => name);
  };
  const both = ["--allow-tools", "read-*, write", "--deny-tools", "read-a", "--config", file];
  const replaced = await startServing(t, both);
  assert.deepEqual(await listed(replaced.url), ["read-b", "write"]);
  assert.match(await replaced.example(), /"name":"read-b"/);
  assert.match(await toolText(`${replaced.url}/mcp`, "read-a"), /Unknown tool: read-a/);
  const allowed = await startServing(t, ["--allow-tools", "*", "--config", file], { token });
  assert.deepEqual(await listed(allowed.url), ["write"]);
});

test("--cwd and --shell say where and how the command runs", async (t) => {
  const { command, args, token } = fixture("environment");
  const folder = await temporaryFolder(t);
  const line = `SUM=$((20 + 3)) exec ${[command, ...args].map((word) => `'${word}'`).join(" ")}`;
  const options = { env: { SHELL: "/bin/sh" }, token };
  const { url } = await startServing(t, ["--shell", "--cwd", folder, "--", line], options);
  const { cwd, env } = await stateOf(url);
  assert.deepEqual([cwd, env["SUM"]], [folder, "23"]);
});

for (const key of [undefined, "a k3y; with $signs"]) {
  test(`the printed example works in a shell ${key === undefined ? "without" : "with"} a key`, async (t) => {
    const token = testToken();
    const { command, args } = fixture("echo");
    const env: Record<string, string> = key === undefined ? {} : { AUTH_KEY: key };
    const words = ["--", command, args[0] ?? "", `--token=${token}`, "it's"];
    const { example, url, stdout } = await startServing(t, words, { env, token });
    const line = await example();
    assert.ok(line.includes(url));
    if (key !== undefined) assert.ok(!stdout().includes(key), "the key was printed");
    const shell = { env: { PATH: process.env["PATH"], ...env }, timeout: WAIT_MS };
    const answer = JSON.parse((await promisify(execFile)("sh", ["-c", line], shell)).stdout) as Answer;
    assert.deepEqual([answer.id, answer.error], [1, undefined]);
  });
}

for (const hosts of ["mcp.example.com", "mcp.example.com:443,localhost", "*.example.com"]) {
  test(`the printed example works in a shell where ${hosts} is let in, and a probe by address too`, async (t) => {
    const { command, args, token } = fixture("counter");
    const words = ["--allowed-hosts", hosts, "--", command, ...args];
    const { url, example } = await startServing(t, words, { token });
    const { stdout } = await promisify(execFile)("sh", ["-c", await example()]);
    assert.match(stdout, /"result"/);
    const probe = await within(fetch(`${url}/health`), WAIT_MS, "the health");
    assert.deepEqual(await probe.json(), { status: "ok" });
    assert.match(await toolText(`${url}/mcp`, "count"), /--allowed-hosts/);
  });
}

test("the line that shows a stream works where only another name is let in", async (t) => {
  const { command, args, token } = fixture("remembers");
  const options = ["--server", "sse", "--allowed-hosts", "mcp.example.com", "--heartbeat", "40"];
  const { example } = await startServing(t, [...options, "--", command, ...args], { token });
  const line = `${await example()} | head -n 2`;
  const { stdout } = await promisify(execFile)("sh", ["-c", line], { timeout: WAIT_MS });
  assert.match(stdout, /^event: endpoint\ndata: messages\?/);
});

test("the printed example calls a tool that needs nothing but text", async (t) => {
  const root = join(import.meta.dirname, "..", "..");
  const token = testToken();
  const words = ["--", "npx", "-y", "@modelcontextprotocol/server-everything", "stdio", `--token=${token}`];
  const { example } = await startServing(t, words, { cwd: root, token });
  const { stdout } = await promisify(execFile)("sh", ["-c", await example()], { timeout: WAIT_MS });
  assert.equal((JSON.parse(stdout) as Answer).result?.content?.[0]?.text, "Echo: hello");
});

test("a server that cannot run does not stop the others, and its reason is in the log", async (t) => {
  const [broken, counter] = [fixture("crashes-at-start"), fixture("counter")];
  const mcpServers = {
    broken: { command: broken.command, args: broken.args },
    counter: { command: counter.command, args: counter.args },
  };
  const file = await configFile(t, { mcpServers });
  const { url, stderr } = await startServing(t, ["--config", file], { token: counter.token });
  assert.equal(await toolText(`${url}/mcp/counter`, "count"), "1");
  await until(() => stderr().includes("cannot go on"), { withinMs: WAIT_MS, label: stderr });
});

const FAILING: readonly (readonly [what: string, words: readonly string[], reason: RegExp])[] = [
  [
    "ends",
    fixture("crashes-at-start").args,
    /did not list its tools: The server "default" ended with exit code 3 /,
  ],
  ["is missing", ["no-such-program"], /: .* could not be started \(ENOENT: no such program\)$/m],
  [
    "is one word",
    ["node x.js"],
    /no such program: its arguments belong in args, or in words of their own\)$/m,
  ],
];
for (const [what, words, reason] of FAILING) {
  test(`a server that ${what} is told with its reason, whatever is logged`, async (t) => {
    const line = what === "ends" ? [process.execPath, ...words] : words;
    const { stdout, stderr } = await startServing(t, ["--log-level", "silent", "--", ...line]);
    await until(() => stdout().includes("did not list"), { withinMs: WAIT_MS, label: stdout });
    assert.match(stdout(), reason);
    assert.equal(stderr(), "");
  });
}

test("other servers whose program is not there are told after the example, and none of them is started", async (t) => {
  const one = fixture("counter");
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "no-program"), "", { mode: 0o644 });
  const mcpServers = {
    one: { command: one.command, args: one.args },
    two: { command: one.command, args: one.args, cwd: folder },
    missing: { command: "no-such-program" },
    text: { command: "./no-program", cwd: folder },
  };
  const file = await configFile(t, { mcpServers });
  const { stdout, stderr, example } = await startServing(t, ["--config", file], { token: one.token });
  await example();
  const isTold = (): boolean => stdout().includes('"./no-program"');
  await until(isTold, { withinMs: WAIT_MS, label: stdout });
  assert.deepEqual(stdout().match(/^The server.*$/gm), [
    'The server "missing" cannot run: there is no program "no-such-program"',
    'The server "text" cannot run: there is no program "./no-program"',
  ]);
  assert.deepEqual(stderr().match(/"server":"\w+"/g), ['"server":"one"']);
});

test("a server whose tools make no example is served all the same, and the log says why there is none", async (t) => {
  const { command, args, token } = fixture("lists-odd-tool");
  const { url, stderr, process, exit } = await startServing(t, ["--", command, ...args], { token });
  await until(() => stderr().includes("cannot be printed"), { withinMs: WAIT_MS, label: stderr });
  assert.match(stderr(), /TypeError/);
  assert.deepEqual((await ask(`${url}/mcp`, request("ping"))).result, {});
  process.kill("SIGTERM");
  assert.equal((await exit()).code, 0);
});

for (const transport of ["mcp", "sse"]) {
  test(`a stop while the first server starts prints nothing of it, with --server ${transport}`, async (t) => {
    const { command, args, token } = fixture("silent");
    const words = ["--shutdown-timeout", "0", "--server", transport, "--", command, ...args];
    const { process, exit } = await startServing(t, words, { token });
    await until(() => processesWith(token).length > 0, { withinMs: WAIT_MS, label: "the server starts" });
    process.kill("SIGTERM");
    const { code, stdout } = await exit();
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /shutting down|did not list|Try it/);
  });
}

const TRUST = [
  ["the authority", ["--ssl-ca", tlsFile("intermediate.pem")], / --cacert \S+intermediate\.pem /],
  ["no authority", [], / -k /],
] as const;
for (const [what, words, trust] of TRUST) {
  test(`the printed example works with HTTPS and ${what}, with a key that was an option`, async (t) => {
    const { command, args, token } = fixture("counter");
    const tls = ["--ssl-cert", tlsFile("leaf.pem"), "--ssl-key", tlsFile("leaf.key"), ...words];
    const line = [...tls, "--auth-key", "s3cret", "--", command, ...args];
    const { example, stdout } = await startServing(t, line, { token });
    assert.match(await example(), trust);
    assert.match(stdout(), /^Try it \(set AUTH_KEY to the key first/m);
    const shell = { env: { PATH: process.env["PATH"], AUTH_KEY: "s3cret" }, timeout: WAIT_MS };
    const answer = (await promisify(execFile)("sh", ["-c", await example()], shell)).stdout;
    assert.equal((JSON.parse(answer) as Answer).error, undefined);
  });
}

function tlsFile(name: string): string {
  return join(import.meta.dirname, "..", "fixtures", "tls", name);
}

test("--shutdown-timeout says how long a call may still run when the command is told to stop", async (t) => {
  const { command, args, token } = fixture("progress");
  const words = ["--shutdown-timeout", "50", "--", command, ...args];
  const { url, process, exit, example } = await startServing(t, words, { token });
  await example();
  const body = call("progress", { steps: 100, delayMs: 500 }, { meta: { progressToken: 1 } });
  const response = await within(fetch(`${url}/mcp`, post(body)), WAIT_MS, "the first progress");
  process.kill("SIGTERM");
  assert.match(await within(response.text(), WAIT_MS, "the end of the call"), /"reason":"shutdown"/);
  assert.equal((await exit()).code, 0);
  await waitUntilGone(token, { withinMs: 0 });
});

test("--server sse serves HTTP+SSE alone, at the path of --endpoint", async (t) => {
  const { command, args, token } = fixture("counter");
  const words = [
    "--server",
    "sse",
    "--endpoint",
    "/events",
    "--messages-path",
    "/in",
    "--",
    command,
    ...args,
  ];
  const { url, stdout } = await startServing(t, words, { token });
  assert.ok(stdout().includes(`Mayfly listens on ${url}/events\n`));
  const response = await within(fetch(`${url}/events`), WAIT_MS, "the event stream");
  const frames = readEvents(response);
  const first = await within(frames.next(), WAIT_MS, "the first event");
  assert.match(first.value?.event ?? "", /^endpoint$/);
  assert.match(first.value?.data ?? "", /^in\?session/);
  await frames.return();
  const { status } = await fetch(`${url}/mcp`, post(call("count")));
  assert.equal(status, 404);
});

test("--server sse prints a line that shows the stream, and says at once if the server cannot run", async (t) => {
  const [counter, broken] = [fixture("counter"), fixture("crashes-at-start")];
  const works = await startServing(t, ["--server", "sse", "--", counter.command, ...counter.args], counter);
  const line = await works.example();
  assert.equal(line, `curl -sSN ${works.url}/sse`);
  const shown = promisify(execFile)("sh", ["-c", `${line} --max-time 1`], { timeout: WAIT_MS });
  const { stdout } = await shown.catch((error: { readonly stdout: string }) => error);
  assert.match(stdout, /^event: endpoint\ndata: messages\?sessionId=/);
  const fails = await startServing(t, ["--server", "sse", "--", broken.command, ...broken.args], broken);
  const isTold = (): boolean => fails.stdout().includes('The server "default" ended');
  await until(isTold, { withinMs: WAIT_MS, label: fails.stdout });
  const isLogged = (): boolean => fails.stderr().includes("cannot go on");
  await until(isLogged, { withinMs: WAIT_MS, label: fails.stderr });
});

test("several servers on the command line have a path each, and the command the bare one", async (t) => {
  const [counter, environment] = [fixture("counter"), fixture("environment")];
  const line = [environment.command, ...environment.args].join(" ");
  const words = ["--named-server", "second", line, "--", counter.command, ...counter.args];
  const { url, stdout } = await startServing(t, words, { token: counter.token });
  t.after(() => waitUntilGone(environment.token));
  assert.equal(await toolText(`${url}/mcp`, "count"), "1");
  assert.match(await toolText(`${url}/servers/second/mcp`, "environment"), /"env"/);
  for (const path of ["/mcp", "/mcp/second", "/sse", "/sse/second"]) {
    assert.ok(stdout().includes(`Mayfly listens on ${url}${path}\n`), path);
  }
});

test("a port in use is an error that names it, with exit code 1", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { command, args, token } = fixture("counter");
  const words = ["--port", String(port), "--", command, ...args];
  const { code, stdout, stderr } = await runCommand(t, words, { token });
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, new RegExp(`^mayfly: .*:${port} is in use`, "m"));
  assert.doesNotMatch(stderr, /^\s+at /m);
});

const ADDRESSES = [
  ["192.0.2.1", /^mayfly: 192\.0\.2\.1 is no address of this machine: choose another host$/m],
  ["no-such-host.invalid", /^mayfly: no-such-host\.invalid is not known: choose another host$/m],
] as const;
for (const [host, message] of ADDRESSES) {
  test(`an address that cannot be listened on is an error that says so: ${host}`, async (t) => {
    const words = ["--host", host, "--port", "0", "--", "node"];
    const { code, stdout, stderr } = await runCommand(t, words, { env: { AUTH_KEY: "k" } });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, message);
  });
}

const NOTHING = /^mayfly: no command, [^\n]* here\nmayfly --help shows all options[^\n]*\n$/;
const REFUSED: readonly (readonly [what: string, args: readonly string[], stderr: RegExp])[] = [
  [
    "an unknown option",
    ["--prot", "1", "--", "node"],
    /unknown option '--prot'[^]*mayfly --help shows all options/,
  ],
  [
    "an option without its value",
    ["--port"],
    /'--port <number>' argument missing[^]*mayfly --help shows all options/,
  ],
  ["a port that is no number", ["--port", "x", "--", "node"], /^mayfly: --port: .*found "x"$/m],
  ["a limit of nothing", ["--max-body", "0", "--", "node"], /^mayfly: --max-body: .*found "0"$/m],
  ["an unknown level", ["--log-level", "loud", "--", "node"], /^mayfly: .*found "loud"$/m],
  ["a variable without a value", ["--env", "A", "--", "node"], /^mayfly: --env: expected NAME=VALUE/m],
  ["an unknown era", ["--era", "old", "--", "node"], /^mayfly: --era: expected one of auto, .*found "old"$/m],
  ["an unknown mode", ["--input-mode", "ask", "--", "node"], /^mayfly: --input-mode: .*found "ask"$/m],
  ["rerun without a secret", ["--input-mode", "rerun", "--", "node"], /^mayfly: .*rerun.*STATE_SECRET$/m],
  [
    "a secret that can be guessed",
    ["--input-mode", "rerun", "--state-secret", "hunter2", "--", "node"],
    /^mayfly: --state-secret: a secret has less than 32 characters$/m,
  ],
  [
    "headers compared sometimes",
    ["--param-headers", "no", "--", "node"],
    /^mayfly: --param-headers: .*"no"$/m,
  ],
  ["spares", ["--spares", "2", "--", "node"], /^mayfly: --spares: this version supports 0$/m],
  [
    "the URL of a server",
    ["serve", "https://example.com/mcp?key=secret"],
    /^mayfly: serve takes the command line of a server: for a URL it is mayfly connect URL$/m,
  ],
  ["its own key for servers", ["--pass-env", "AUTH_KEY", "--", "node"], /^mayfly: --pass-env: AUTH_KEY/m],
  [
    "a loader for requests",
    ["--allow-env", "LD_PRELOAD", "--", "node"],
    /^mayfly: --allow-env: LD_PRELOAD can/m,
  ],
  ["a filter without names", ["--deny-tools", " , ", "--", "node"], /^mayfly: --deny-tools: expected names/m],
  ["a folder without anything to serve", [], NOTHING],
  ["an empty command line", ["--"], NOTHING],
  [
    "cookies for no page",
    ["--cors-credentials", "--", "node"],
    /^mayfly: --cors-credentials: name the pages with --cors-origin$/m,
  ],
  ["a missing file", ["--config", "no-such.json"], /^mayfly: no-such\.json: cannot be read \(ENOENT\)$/m],
];

for (const [what, args, message] of REFUSED) {
  test(`${what} is refused on stderr, with exit code 2`, async (t) => {
    const { code, stdout, stderr } = await runCommand(t, args);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^\s+at /m);
    assert.deepEqual([code, stdout], [2, ""]);
  });
}

test("--help and --version are no errors, and go to stdout", async (t) => {
  const help = await runCommand(t, ["serve", "--help"]);
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^Usage: mayfly serve/);
  const version = await runCommand(t, ["--version"]);
  assert.deepEqual([version.code, version.stderr], [0, ""]);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

const BROKEN: readonly (readonly [what: string, config: unknown, stderr: RegExp])[] = [
  ["broken JSON", '{\n  "mcpServers": {a}\n}', /servers\.json:2:18: not valid JSON$/m],
  ["no servers", { mcpServers: {} }, /servers\.json: mcpServers: \w/],
  [
    "a wrong type",
    { mcpServers: { a: { command: 7 } } },
    /servers\.json: mcpServers\.a\.command: expected string/,
  ],
  [
    "a misspelt key",
    { mcpServers: { a: { comand: "node" } } },
    /servers\.json: mcpServers\.a: unknown key "comand": did you mean "command"\?$/m,
  ],
  [
    "an unset variable",
    { mcpServers: { a: { command: "node", env: { B: "${NOT_SET_ANYWHERE}" } } } },
    /servers\.json: mcpServers\.a\.env\.B: .*NOT_SET_ANYWHERE/,
  ],
  [
    "an unknown default",
    { mcpServers: { a: { command: "node" } }, default: "b" },
    /servers\.json: default: .*"b"$/m,
  ],
];

for (const [what, config, message] of BROKEN) {
  test(`a configuration with ${what} is refused with the file and the place in it`, async (t) => {
    const { code, stdout, stderr } = await runCommand(t, ["--config", await configFile(t, config)]);
    assert.match(stderr, /^mayfly: /);
    assert.match(stderr, message);
    assert.deepEqual([code, stdout], [2, ""]);
  });
}

test("an address that everybody can reach is refused without a key, and nothing listens", async (t) => {
  const { command, args, token } = fixture("counter");
  const probe = createServer().listen(0, "0.0.0.0");
  await once(probe, "listening");
  t.after(() => probe.close());
  const { port } = probe.address() as AddressInfo;
  const words = ["--host", "0.0.0.0", "--port", String(port), "--", command, ...args];
  const { code, stdout, stderr } = await runCommand(t, words, { token });
  // Had it tried to listen, the port would have been in use, which is 1.
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^mayfly: 0\.0\.0\.0 .*--auth-key.*AUTH_KEY.*--allow-anonymous/);
});

test("an address that everybody can reach is served with a key, or with ALLOW_ANONYMOUS=true", async (t) => {
  const { command, args, token } = fixture("counter");
  const words = ["--host", "0.0.0.0", "--", command, ...args];
  const local = (url: string): string => `${url.replace("0.0.0.0", "127.0.0.1")}/mcp`;
  const locked = await startServing(t, words, { env: { AUTH_KEY: "old,new" } });
  assert.match(await toolText(local(locked.url), "count"), /key is missing or wrong/);
  for (const key of ["old", "new"]) {
    assert.equal(await toolText(local(locked.url), "count", { authorization: `Bearer ${key}` }), "1");
  }
  const open = await startServing(t, words, { env: { ALLOW_ANONYMOUS: "true" } });
  assert.equal(await toolText(local(open.url), "count"), "1");
  const { code } = await runCommand(t, words, { env: { ALLOW_ANONYMOUS: "false" }, token });
  assert.equal(code, 2);
});

const SECRETS = {
  key: "k3y-0f-the-d00r",
  wrongKey: "wr0ng-key",
  argument: "p4ss-in-argument",
  body: "p4ss-in-broken-body",
  parameter: "p4ss-in-parameter",
  header: "p4ss-in-header",
  variable: "p4ss-in-variable",
  given: "p4ss-given-with-e",
  uri: "p4ss-in-uri",
};

/** What is asked of a server and answered is for the debug log to show. */
const LEVELS = [
  ["info", Object.values(SECRETS)],
  ["debug", Object.values(SECRETS).filter((secret) => ![SECRETS.argument, SECRETS.uri].includes(secret))],
] as const;

for (const [level, secrets] of LEVELS)
  test(`the log at the level ${level} has a JSON line for each request, and tells no secret`, async (t) => {
    const [echo, broken] = [fixture("echo"), fixture("crashes-at-start")];
    const mcpServers = {
      echo: { command: echo.command, args: echo.args, env: { OTHER_TOKEN: SECRETS.variable } },
      broken: { command: broken.command, args: broken.args },
    };
    const file = await configFile(t, { mcpServers, default: "echo" });
    const env = { AUTH_KEY: SECRETS.key };
    const given = ["--log-level", level, "-e", `SECRET_TOKEN=${SECRETS.given}`];
    const { url, stderr, process, exit } = await startServing(t, [...given, "--config", file], {
      env,
      token: echo.token,
    });
    const keyed = `?auth_key=${SECRETS.key}`;
    const secretHeader = { "x-secret": SECRETS.header };
    const echoed = await ask(
      `${url}/mcp${keyed}`,
      call("echo", { password: SECRETS.argument }),
      secretHeader,
    );
    assert.match(JSON.stringify(echoed.result), new RegExp(SECRETS.argument));
    await ask(`${url}/mcp/echo${keyed}`, request("resources/read", { uri: `file:///${SECRETS.uri}` }));
    assert.equal((await ask(`${url}/mcp/broken${keyed}`, call("any"))).error?.data?.reason, "exited");
    await ask(`${url}/mcp?auth_key=${SECRETS.wrongKey}`, call("echo"));
    await ask(`${url}/mcp${keyed}&TOKEN=${SECRETS.parameter}`, call("echo"));
    await fetch(`${url}/mcp${keyed}`, post(`{"password": "${SECRETS.body}`)).then((response) =>
      response.text(),
    );
    process.kill("SIGTERM");
    await exit();
    // The one line that is not of the log: it answers the signal.
    const lines = stderr()
      .trimEnd()
      .split("\n")
      .filter((line) => !line.startsWith("Finishing what runs;"));
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const secret of secrets) assert.ok(!stderr().includes(secret), `the log tells ${secret}`);
    const requests = entries.filter(({ msg }) => msg === "request");
    const called = requests.find(({ tool }) => tool === "echo") ?? {};
    const { level: number, time, durationMs, ...rest } = called;
    assert.deepEqual([number, typeof time, typeof durationMs], [30, "number", "number"]);
    assert.deepEqual(rest, {
      msg: "request",
      server: "echo",
      method: "tools/call",
      tool: "echo",
      outcome: "ok",
    });
    assert.ok(requests.some(({ method }) => method === "resources/read"));
    assert.ok(requests.some(({ server, outcome }) => server === "broken" && outcome === "exited"));
    const failed = entries.find(({ reason }) => reason === "exited");
    assert.match(String(failed?.["stderr"]), /SECRET_TOKEN is \*\*\*\ncannot go on/);
  });
